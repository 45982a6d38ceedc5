"""What a run says at its end: the table, and whether the model is better, to the tenth of a point."""

from pathlib import Path
from typing import Any

import pytest

from absolute_zero.cli.screen import Screen
from absolute_zero.config import Config


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        ([0.051, 0.034, 0.069], "better: +5.1 points"),
        ([-0.051, -0.069, -0.034], "worse: -5.1 points"),
        ([0.01, -0.01, 0.03], "no significant change (95 % interval includes 0): +1.0 points"),
        ([0.01, None, None], "not known to be better or worse (too few tasks for an interval): +1.0 points"),
    ],
)
def test_the_end_of_a_run(gain: list[Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    none = [None, None, None]
    sides = {
        "before": {"mean": {"t1": [0.408, 0.39, 0.43], "greedy": none}},
        "after": {"mean": {"t1": [0.408 + gain[0], 0.4, 0.5], "greedy": none}},
        "difference": {"mean": {"t1": gain, "greedy": none}},
    }
    with Screen(Config(), Path("runs/001"), "sealed") as screen:
        screen.result({**sides, "steps": 60, "seconds": 600.4, "sampled_tokens": 2_600_000})
    shown = capsys.readouterr().out
    value, *ends = (part if part is None else f"{100 * part:+.1f}" for part in gain)
    interval = "(too few tasks for an interval)" if None in ends else f"[{', '.join(map(str, ends))}]"
    assert f"mean         pass@1  40.8    {100 * (0.408 + gain[0]):.1f}   {value} {interval}" in shown
    assert "greedy" not in shown
    assert f"{said} of pass@1" in shown
    assert "60 steps in 600 s, 2,600,000 tokens sampled" in shown
