"""What runs in a fresh child: one program on some inputs, behind the filter.

Everything here shares a process with hostile code, so nothing here is trusted: what this module writes into
the shared region is, by definition, the output of the program. The zygote reads it after the child is dead.
"""

import marshal
import os
import sys
import time
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType
from typing import Any

from absolute_zero import values
from absolute_zero.executor import protocol
from absolute_zero.executor.protocol import FRAME
from absolute_zero.executor.region import CONTINUE, FRAMES, HEAD, LEFT, LEFT_AT, SIZE
from absolute_zero.executor.residue import forget, leaves_residue
from absolute_zero.executor.world import Sink, TooMuchPrinted

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

# Captured before any program can replace them.
_exit, _cpu, _length, _type, _exec, _compile = os._exit, time.process_time_ns, len, type, exec, compile
_canonical, _read_arguments, _set_limit = values.canonical, values.read_arguments, sys.setrecursionlimit
_load, _dump = marshal.loads, marshal.dumps
_type_name = type.__dict__["__name__"].__get__
_modules, _slice, _NAME = sys.modules, str.__getitem__, slice(0, 80)

_OUR_FRAMES = 7
"""Frames below a program's module level; given back, so that its recursion limit is what Python's is."""
NO_WALL = 98  # exit status
_QUICK_BYTES, _QUICK_NANOSECONDS = 16_384, 20_000_000
"""What a batch prepares of an order; more of it is charged to the program, in its own child."""


def prepare(order: protocol.Order) -> bytes:
    """Compile the program, read its inputs, and return all that marshalled: whether the inputs may share a process, the
    code, and for each input its arguments, or None where it is not an argument list of literals.

    Every run goes by way of marshal, wherever this was done: the order of a set in the code must not differ.
    """
    code = _compile(order.program, "<program>", "exec", 0, True)
    return _dump((leaves_residue(code), code, [_read(text) for text in order.inputs]))


def _read(text: str) -> Arguments | None:
    try:
        return _read_arguments(text)
    except values.Unreadable:
        return None


class Runner:
    """Runs one order in the child it was forked into."""

    def __init__(self, region: Any, sink: Sink, syscall: Callable[..., int]) -> None:
        self.region, self.sink, self.syscall = region, sink, syscall

    def leave(self, reason: int) -> None:
        """Stop before the end, and say why; never returns."""
        LEFT.pack_into(self.region, LEFT_AT, reason)
        _exit(0)

    def compile(self, orders: Sequence[memoryview], wall: Callable[[], int] | None) -> None:
        """Put up the wall, prepare a batch of orders, and leave; never returns."""
        try:
            if wall is not None and wall() != 0:
                _exit(NO_WALL)
            offset = FRAMES
            for order in orders:
                start, prepared = _cpu(), b""
                try:
                    if _length(order) <= _QUICK_BYTES:
                        prepared = prepare(protocol.unpack_order(bytes(order)))
                except BaseException:  # the program's own child will meet it again, and say so
                    prepared = b""
                if _cpu() - start > _QUICK_NANOSECONDS:
                    prepared = b""
                if offset + 4 + _length(prepared) > SIZE:
                    break
                end = offset + 4 + _length(prepared)
                self.region[offset:end] = _length(prepared).to_bytes(4, "little") + prepared
                offset = end
        finally:
            _exit(0)

    def run(self, order: memoryview, prepared: memoryview, done: int, wall: Callable[[], int] | None) -> None:
        """Put up the wall, run the inputs that are not `done`, and leave; never returns.

        Compiles the program and reads the inputs unless that comes `prepared`.
        """
        try:
            if wall is not None and wall() != 0:
                _exit(NO_WALL)
            self.work(protocol.unpack_order(bytes(order)), bytes(prepared), done)
        finally:
            _exit(0)

    def work(self, order: protocol.Order, prepared: bytes, done: int) -> None:
        """Write a frame for each input, or `leave`."""
        ready: tuple[bool, Any, Any] = _load(prepared) if prepared else (False, None, None)
        alone, code, inputs = ready
        offset = FRAMES
        for index in range(_length(order.inputs) - done):
            if index and alone:
                self.leave(CONTINUE)
            # Two phases for each input, reading and running, each with its own start.
            HEAD.pack_into(self.region, 0, 2 * index + 1, 0, _cpu())
            arguments: Arguments | None = inputs[done + index] if inputs else _read(order.inputs[done + index])
            start = _cpu()
            HEAD.pack_into(self.region, 0, 2 * index + 2, 0, start)
            if arguments is None:
                offset = self.commit(offset, protocol.INVALID_INPUT, "", "", start)
                continue
            self.sink.left = order.output_bytes
            verdict, value, detail = protocol.VALUE, "", ""
            result: object = None
            try:
                if code is None:  # by way of marshal here too: see `prepare`
                    code = _load(_dump(_compile(order.program, "<program>", "exec", 0, True)))
                    alone = leaves_residue(code)
                if index:
                    forget(code)
                result = self.call(code, arguments[0], arguments[1], order.flags)
                _set_limit(1_000)
                value = _canonical(result, order.output_bytes)
            except BaseException as error:
                _set_limit(1_000)
                verdict, detail = _classify(error)
                value = ""
            if verdict == protocol.MEMORY and index:  # an earlier input may have left the memory full
                self.leave(CONTINUE)
            offset = self.commit(offset, verdict, value, detail, start)
            if alone:  # no finaliser of the program's ever runs here
                _KEPT.append(result)

    def call(self, code: CodeType, positional: tuple[Any, ...], keywords: dict[str, Any], flags: int) -> object:
        """Call `f` in a fresh module, one for every input. Raises whatever the program raises."""
        module = _modules["program"] = ModuleType("program")
        if flags & protocol.CANARY:
            module.__dict__["syscall"] = self.syscall
        _set_limit(1_000 + _OUR_FRAMES)
        _exec(code, module.__dict__)
        if "f" not in module.__dict__:
            raise NameError("f")
        return module.__dict__["f"](*positional, **keywords)

    def commit(self, offset: int, verdict: int, value: str, detail: str, start: int) -> int:
        """Write a frame and return where it ends. Leaves when there is no room: too large only if it stood alone."""
        text, name = value.encode("utf-8"), detail.encode("utf-8", "replace")[:160]
        end = offset + FRAME.size + _length(text) + _length(name)
        if end + FRAME.size > SIZE:
            self.leave(CONTINUE)
        body = offset + FRAME.size
        self.region[body:end] = text + name
        FRAME.pack_into(self.region, offset, verdict + 1, _length(text), _length(name), _cpu() - start)
        return end


_KEPT: list[object] = []


def _classify(error: BaseException) -> tuple[int, str]:
    """Return verdict and detail of what was raised; no code of the program runs."""
    kind = _type(error)
    if kind is values.Unserialisable:
        return protocol.UNSERIALISABLE, error.type_name  # type: ignore[attr-defined]
    if kind is values.TooLarge or kind is TooMuchPrinted:
        return protocol.TOO_LARGE, ""
    if kind is MemoryError:
        return protocol.MEMORY, ""
    # The name may be an instance of a str subclass: the slice through `str` copies it, and runs nothing.
    return protocol.ERROR, _slice(_type_name(kind), _NAME)


def rehearse(runner: Runner) -> None:
    """Go through the motions in the zygote, with a program of our own: code that has been specialised and memory
    pools that have been opened are pages that no child has to copy."""
    program = "def f(x):\n    y = [i + x for i in range(3)]\n    return sum(y), str(y)"
    order = protocol.Order(program, ["1", "'a'"], 1.0, 256, 65_536, 0)
    packed = protocol.pack_orders([order])[4:]
    for _ in range(20):
        runner.work(protocol.unpack_order(packed), prepare(order), 0)
    _modules.pop("program", None)
