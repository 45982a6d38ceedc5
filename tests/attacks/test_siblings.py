"""No program can read another's: not its text, not what it returned, in its batch or before it.

In group-relative learning a copied answer pays as much as one's own. A child inherits the memory of its zygote,
so what the zygote never holds is all that is safe from it.
"""

from textwrap import dedent

import pytest

from absolute_zero.executor import Sandbox, judge_induction
from absolute_zero.types import Job, Verdict

MARK = "mark" + "7393021"
OWNER = f"def f(x):\n    {MARK} = x * 7919\n    return ['{MARK}', {MARK}]"

# Neither thief holds the mark itself: it is put together when it runs.
FRAMES = dedent("""
    import gc, sys
    def f(x):
        wanted = 'mark' + str(7393020 + x)
        found, frame = [], sys._getframe()
        while frame is not None:
            for name, value in list(frame.f_locals.items()):
                if name != 'wanted' and wanted in repr(value):
                    found.append(name)
            frame = frame.f_back
        for thing in gc.get_objects():
            if type(thing) in (list, dict, tuple) and len(thing) < 1000:
                if any(type(part) in (str, bytes) and wanted in str(part) and part != wanted for part in thing):
                    found.append('gc')
        return found
""")
MEMORY = dedent("""
    def f(x):
        classes, stack, seen = {}, [object], set()
        while stack:
            for kind in type.__subclasses__(stack.pop()):
                if kind not in seen:
                    seen.add(kind)
                    stack.append(kind)
                    classes[kind.__name__] = kind
        libc, page = classes['CDLL'](None), classes['c_char'] * 4096
        tail, hits = str(7393020 + x).encode(), 0
        anchors = [id(f), id(b'y' * 2000), id([0] * 40_000), id(classes)]
        for start in {(anchor & ~4095) - (3 << 20) for anchor in anchors}:
            for at in range(start, start + (6 << 20), 4096):
                if libc.madvise(classes['c_void_p'](at), classes['c_void_p'](4096), 0) == 0:
                    whole = page.from_address(at).raw
                    place = whole.find(b'k' + tail)
                    while place >= 0:
                        hits += whole[place - 3:place] == bytes([109, 97, 114])
                        place = whole.find(b'k' + tail, place + 1)
        return hits
""")


@pytest.mark.parametrize("thief", [FRAMES, MEMORY], ids=["frames and objects", "raw memory"])
@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "one after the other"])
def test_nothing_of_a_sibling_is_in_reach(sandbox: Sandbox, thief: str, together: bool) -> None:
    owners, thieves = [Job(OWNER, ("1", "2"))] * 5, [Job(thief, ("1",), cpu_seconds=5)] * 2
    if together:
        outcomes = sandbox.run([*owners, *thieves])
    else:
        sandbox.run(owners)
        outcomes = sandbox.run(thieves)
    for outcome in outcomes[-2:]:
        [result] = outcome.results
        assert result.verdict is Verdict.VALUE, result
        assert result.value in ("[]", "0"), result


def test_the_memory_thief_can_find_what_is_there(sandbox: Sandbox) -> None:
    """The same search, in a program that does hold the mark: it has to see it, or it proves nothing."""
    [outcome] = sandbox.run([Job(MEMORY + f"\nKEPT = '{MARK}!'\n", ("1",), cpu_seconds=5)])
    [result] = outcome.results
    assert int(result.value) > 0, result


def test_an_answer_copied_from_a_sibling_does_not_pay(sandbox: Sandbox) -> None:
    copy = dedent("""
        import sys
        def f(x):
            frame = sys._getframe()
            while frame is not None:
                for value in frame.f_locals.values():
                    for order in value if type(value) is list else ():
                        text = getattr(order, 'program', None) or (order if type(order) is str else '')
                        if '7919' in text and 'sys' not in text:
                            names = {}
                            exec(text, names)
                            return names['f'](x)
                frame = frame.f_back
    """)
    honest = "def f(x):\n    return x * 7919"
    judged = judge_induction(sandbox, [("1", "7919"), ("2", "15838")], [copy, honest, copy, honest, copy])
    assert judged == [[False, False], [True, True], [False, False], [True, True], [False, False]]
