"""What supervisor and zygote say to each other: length-prefixed messages of length-prefixed fields.

Both sides read defensively. The zygote is ours, but at level weak a hostile program may have taken it over,
so the supervisor believes nothing it says beyond "this text came back": no pickle, no marshal, no eval.
Imported by the zygote, hence nothing heavy.
"""

import struct
from collections.abc import Callable, Iterable, Sequence

from absolute_zero.values import MAX_NAME, one_line

_LENGTH = struct.Struct("<I")
JOB = struct.Struct("<dIIBI")
"""Processor seconds, MiB, bytes of output, flags, and how many texts follow (the program and the inputs)."""
FRAME = struct.Struct("<IIIQ")
"""Verdict code + 1, length of value and of detail, processor nanoseconds; value and detail follow."""
MAX_MESSAGE = 1 << 30

CANARY, BARE = 1, 2
"""Flags of a job. CANARY hands the program a `syscall` function; BARE leaves the filter off, for proving the
second wall. Both are for our own canaries and are set by no `Job`."""

# Codes of verdicts on the wire, in the order of `types.Verdict`; the last is between zygote and worker only.
(VALUE, ERROR, INVALID_INPUT, UNSERIALISABLE, TOO_LARGE, MEMORY, TIMEOUT, BLOCKED, FORBIDDEN, CRASH, EXITED,
 NONDETERMINISTIC, INFRASTRUCTURE, NEEDS_FULL) = range(14)  # fmt: skip
NAMES = ("value", "error", "invalid input", "unserialisable", "too large", "memory", "timeout", "blocked", "forbidden",
         "crash", "exited", "nondeterministic", "infrastructure", "another world")  # fmt: skip


def patience(cpu_seconds: float) -> float:
    """Return the wall seconds that the zygote gives one input, as a backstop; the supervisor gives a little more."""
    return 10 + 30 * cpu_seconds


class Broken(Exception):
    """The other side is gone or speaks nonsense."""


class Order:
    """A job as the zygote sees it."""

    __slots__ = ("cpu_seconds", "flags", "inputs", "memory_mb", "output_bytes", "program")

    def __init__(
        self, program: str, inputs: Sequence[str], cpu_seconds: float, memory_mb: int, output_bytes: int, flags: int
    ) -> None:
        self.program, self.inputs, self.flags = program, inputs, flags
        self.cpu_seconds, self.memory_mb, self.output_bytes = cpu_seconds, memory_mb, output_bytes


Report = tuple[int, str, str, float]
"""Verdict code, value, detail, processor seconds."""


def pack_fields(fields: Iterable[bytes]) -> bytes:
    """Return the fields as one body."""
    return b"".join(part for field in fields for part in (_LENGTH.pack(len(field)), field))


def unpack_fields(body: bytes) -> list[bytes]:
    """Return the fields of a body. Raises Broken."""
    fields: list[bytes] = []
    offset, end = 0, len(body)
    while offset < end:
        if offset + 4 > end:
            raise Broken("a truncated message")
        (length,) = _LENGTH.unpack_from(body, offset)
        offset += 4 + length
        if offset > end:
            raise Broken("a truncated message")
        fields.append(body[offset - length : offset])
    return fields


def pack_orders(orders: Iterable[Order]) -> bytes:
    """Return the body of a request."""
    return pack_fields(map(_pack_order, orders))


def _pack_order(order: Order) -> bytes:
    texts = [text.encode("utf-8", "surrogatepass") for text in (order.program, *order.inputs)]
    head = JOB.pack(order.cpu_seconds, order.memory_mb, order.output_bytes, order.flags, len(texts))
    return b"".join((head, struct.pack(f"<{len(texts)}I", *map(len, texts)), *texts))


def unpack_order(field: bytes) -> Order:
    """Return an order of a request."""
    cpu_seconds, memory_mb, output_bytes, flags, count = JOB.unpack_from(field)
    sizes = struct.unpack_from(f"<{count}I", field, JOB.size)
    texts: list[str] = []
    offset = JOB.size + 4 * count
    for size in sizes:
        texts.append(field[offset : offset + size].decode("utf-8", "surrogatepass"))
        offset += size
    return Order(texts[0], texts[1:], cpu_seconds, memory_mb, output_bytes, flags)


def unpack_reports(body: bytes, sizes: Sequence[int]) -> list[list[Report]]:
    """Return the reports of a reply to orders with that many inputs.

    Raises Broken if it is not exactly that; only an order that needs the full world may be answered in part.
    """
    answers = [_unpack_answer(field) for field in unpack_fields(body)]
    if len(answers) != len(sizes):
        raise Broken("a reply of another shape")
    for reports, size in zip(answers, sizes, strict=True):
        if len(reports) != size and not (reports and reports[-1][0] == NEEDS_FULL and len(reports) < size):
            raise Broken("a reply of another shape")
    return answers


def _unpack_answer(field: bytes) -> list[Report]:
    reports: list[Report] = []
    offset = 0
    while offset < len(field):
        if offset + FRAME.size > len(field):
            raise Broken("a malformed report")
        code, size, detail_size, nanoseconds = FRAME.unpack_from(field, offset)
        middle = offset + FRAME.size + size
        offset = middle + detail_size
        if not 0 < code <= NEEDS_FULL + 1 or offset > len(field):
            raise Broken("a malformed report")
        try:
            verdict, value = code - 1, field[middle - size : middle].decode()
        except UnicodeDecodeError:
            verdict, value = UNSERIALISABLE, ""
        reports.append((verdict, value, _name(field[middle:offset]), nanoseconds / 1e9))
    return reports


def _name(detail: bytes) -> str:
    """Return a foreign name, made fit for a log."""
    return one_line(detail[:160].decode("utf-8", "replace"), "?")[:MAX_NAME]


def send(write: Callable[[bytes], object], body: bytes) -> None:
    """Send one message through `write`, which takes all it is given. Raises Broken."""
    try:
        write(_LENGTH.pack(len(body)) + body)
    except OSError as error:
        raise Broken("the channel is closed") from error


def receive(read: Callable[[int], bytes]) -> bytes:
    """Receive one message through `read(at_most)`. Raises Broken, also on a time limit."""
    (length,) = _LENGTH.unpack(_exactly(read, 4))
    if length > MAX_MESSAGE:
        raise Broken("an oversized message")
    return _exactly(read, length)


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        try:
            part = read(min(size, 1 << 20))
        except OSError as error:
            raise Broken("no answer") from error
        if not part:
            raise Broken("the channel is closed")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
