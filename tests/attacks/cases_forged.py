"""Rows 118 to 120 with exact forgeries: frames written in the runner's own layout, and its own exit statuses.

A forged value counts as the program's output. What must not be forged: our own faults, text that is no
canonical value, a text over its bound, a detail that spoils a log, the processor time.
"""
# fmt: off

from absolute_zero.executor import protocol, region

from .table import CONTAINED, ERROR, EXITED, FORBIDDEN, OK, TOO_LARGE, UNSERIALISABLE, Case, case

NOT_OURS = CONTAINED | TOO_LARGE | UNSERIALISABLE
"""Every verdict but a value, and but those that a program can never be given to claim."""


def frame(code: int, value: bytes = b"", detail: bytes = b"", nanoseconds: int = 1_000) -> bytes:
    return protocol.FRAME.pack(code + 1, len(value), len(detail), nanoseconds) + value + detail


def program(frames: str, status: int = 0) -> str:
    """Finds the region in the runner's frame, writes there, and leaves."""
    return f"""
import os, sys
def f(*a):
    frame = sys._getframe()
    while frame:
        region = getattr(frame.f_locals.get('self'), 'region', None)
        if region is not None:
            data = {frames}
            region[{region.FRAMES}:{region.FRAMES} + len(data)] = data
            os._exit({status})
        frame = frame.f_back
    raise LookupError('no region in reach')
"""


def forged(row: str, title: str, data: bytes, expect: frozenset, **more: object) -> Case:
    return case(row, title, program(repr(data)), expect, **more)


BAD_UTF8 = b"'\xc3\x28\xed\xa0'"

CASES: tuple[Case, ...] = (
    forged("118b", "a value: counts as the program's output", frame(protocol.VALUE, b"7"), OK, value="7"),
    forged("118c", "values for the inputs to come", frame(protocol.VALUE, b"7") * 3,
           OK | EXITED | ERROR, value="7", inputs=("1", "2", "3")),
    forged("118d", "our own fault", frame(protocol.INFRASTRUCTURE), NOT_OURS),
    forged("118e", "nondeterminism that nobody looked for", frame(protocol.NONDETERMINISTIC), NOT_OURS),
    forged("118f", "a verdict that does not exist", frame(200), NOT_OURS),
    *(
        forged(f"118{letter}", f"a value's text that is {what}", frame(protocol.VALUE, text), NOT_OURS)
        for letter, what, text in (
            ("g", "a call", b"f(1)"), ("h", "an expression", b"2 + 2"), ("i", "empty", b""),
            ("m", "over the bound", b"'" + b"a" * 70_000 + b"'"), ("o", "open", b"[" * 1_000),
            ("p", "two lines", b"7\n8"), ("q", "NUL", b"7\x00"),
        )
    ),
    *(  # It may be refused, or read and written again; what reaches the caller is canonical.
        forged(f"118{letter}", f"a value's text that is {what}", frame(protocol.VALUE, text), OK | NOT_OURS,
               value=canonical)
        for letter, what, text, canonical in (
            ("j", "spaced", b" 7", "7"), ("k", "in another order", b"{2, 1}", "{1, 2}"),
            ("l", "commented", b"7 # 8", "7"), ("n", "a tuple without brackets", b"1, 2", "(1, 2)"),
        )
    ),
    case("118r", "a detail of 1 MB", program(
        f"{protocol.FRAME.pack(protocol.ERROR + 1, 0, 10**6, 0)!r} + b'E' * 10 ** 6"), NOT_OURS),
    forged("118s", "a detail of control characters", frame(protocol.ERROR, b"", b"E\n\x1b[2J\x00\r"),
           NOT_OURS),
    forged("118t", "a detail of broken UTF-8", frame(protocol.ERROR, b"", BAD_UTF8), NOT_OURS),
    forged("118u", "an error with a value", frame(protocol.ERROR, b"7", b"E"), NOT_OURS),
    forged("118v", "processor time of 500 years", frame(protocol.VALUE, b"7", b"", 2**64 - 1), OK | NOT_OURS),
    forged("118w", "a value with a detail", frame(protocol.VALUE, b"7", b"E"), OK | NOT_OURS, value="7"),
    forged("119d", "lengths beyond the region", protocol.FRAME.pack(1, 2**32 - 1, 2**32 - 1, 0), NOT_OURS),
    forged("119e", "a length just past the end", protocol.FRAME.pack(1, 2**23, 0, 0), NOT_OURS),
    forged("120b", "invalid UTF-8 in a value", frame(protocol.VALUE, BAD_UTF8), UNSERIALISABLE),
    *(
        case(f"40{letter}", f"leaves with status {status}", f"import os\ndef f(x):\n    os._exit({status})\n",
             EXITED | ERROR | FORBIDDEN, inputs=("1", "2"))
        for letter, status in (("d", 1), ("e", 99), ("f", 98), ("g", 97), ("h", 255), ("i", 137))
    ),
    *(
        case(f"40{letter}", f"a value first, then leaves with status {status}", f"""
            import os
            def f(x):
                if x == 2:
                    os._exit({status})
                return x
            """, OK, inputs=("1", "2", "3"), values=("1", None, "3"),
             each=(OK, EXITED | ERROR | FORBIDDEN, OK))
        for letter, status in (("j", 0), ("k", 99), ("l", 98))
    ),
)
