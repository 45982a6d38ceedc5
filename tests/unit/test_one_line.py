"""Foreign text is shown on one line, and steers no terminal."""

import pytest

from absolute_zero.values import one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a b", "a b"),
        ("a\nb\r\tc", "a?b??c"),
        ("\x1b[2J\x00", "?[2J?"),
        ("\u2028\u202e\ud800", "???"),
        ("\xe9", "\xe9"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text, "?") == line
    assert one_line(text) == line.replace("?", " ")
