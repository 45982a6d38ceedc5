"""The filter, run on paper: a small machine executes it for every call number and both processor families."""

import ctypes
import mmap
import os
import platform
import signal
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from absolute_zero.executor import seccomp

X86, ARM = seccomp.MACHINES["x86_64"], seccomp.MACHINES["aarch64"]
ENOSYS, EAGAIN = seccomp.errno_action(seccomp.ENOSYS), seccomp.errno_action(seccomp.EAGAIN)


def decide(filter_: Sequence[seccomp.Instruction], arch: int, number: int, arguments: Sequence[int] = ()) -> int:
    """What the kernel would decide: a classic BPF interpreter for the instructions we use."""
    words = {0: number, 4: arch}
    for index in range(6):
        value = arguments[index] if index < len(arguments) else 0
        words[16 + 8 * index], words[20 + 8 * index] = value & 0xFFFF_FFFF, value >> 32
    accumulator, at = 0, 0
    while True:
        code, if_true, if_false, operand = filter_[at]
        at += 1
        if code == 0x20:
            accumulator = words[operand]
        elif code == 0x06:
            return operand
        elif code == 0x54:
            accumulator &= operand
        else:
            tests = {0x15: accumulator == operand, 0x35: accumulator >= operand, 0x45: bool(accumulator & operand)}
            at += if_true if tests[code] else if_false


@pytest.mark.parametrize("target", [X86, ARM], ids=["x86-64", "aarch64"])
def test_every_number_gets_what_the_tables_say(target: seccomp.Machine) -> None:
    filter_ = seccomp.program(target)
    expected = {numbers[target.column]: seccomp.ALLOW for numbers in seccomp.ALLOWED.values()}
    expected |= {numbers[target.column]: seccomp.KILL for numbers in seccomp.KILLED.values()}
    argued = {numbers[target.column] for numbers in seccomp.ARGUED.values()}
    for number in range(1_024):
        if number not in argued:
            assert decide(filter_, target.audit_arch, number) == expected.get(number, seccomp.DENY), number


def test_no_number_is_in_two_tables() -> None:
    for column in (0, 1):
        numbers = [
            entry[column] for table in (seccomp.ALLOWED, seccomp.KILLED, seccomp.ARGUED) for entry in table.values()
        ]
        known = [number for number in numbers if number >= 0]
        assert len(known) == len(set(known))


@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("mmap", (0, 4096, 3, 0x22), seccomp.ALLOW),
        ("mmap", (0, 4096, 7, 0x22), seccomp.DENY),  # executable
        ("mmap", (0, 4096, 4, 0x22), seccomp.DENY),
        ("mmap", (0, 4096, 1, 0x02), seccomp.DENY),  # a file
        ("mprotect", (0, 4096, 3), seccomp.ALLOW),
        ("mprotect", (0, 4096, 5), seccomp.DENY),
        ("clone", (17,), seccomp.KILL),
        ("clone", (0x10000 | 0x900,), EAGAIN),
        ("clone3", (0, 0), ENOSYS),
        ("futex", (0, 0, 0, 0), seccomp.ALLOW),
        ("futex", (0, 0 | 128, 0, 0x7FFF_0000), seccomp.errno_action(110)),  # with a time limit
        ("futex", (0, 9 | 128 | 256, 0, 4096), seccomp.errno_action(110)),
        ("futex", (0, 1 | 128, 0, 4096), seccomp.ALLOW),  # the wakes ignore it
        ("futex", (0, 10, 0, 4096), seccomp.ALLOW),
        ("futex", (0, 1 | 128), seccomp.ALLOW),
        ("futex", (0, 9 | 128 | 256), seccomp.ALLOW),
        ("futex", (0, 10), seccomp.ALLOW),
        ("futex", (0, 6), seccomp.DENY),  # priority inheritance
        ("futex", (0, 11 | 128), seccomp.DENY),
    ],
)
@pytest.mark.parametrize("target", [X86, ARM], ids=["x86-64", "aarch64"])
def test_arguments_decide(target: seccomp.Machine, name: str, arguments: tuple[int, ...], action: int) -> None:
    number = seccomp.call_number(name, target.column)
    assert decide(seccomp.program(target), target.audit_arch, number, arguments) == action


@given(number=st.integers(0, 2**32 - 1), arguments=st.lists(st.integers(0, 2**64 - 1), max_size=6))
def test_another_processor_family_is_always_death(number: int, arguments: list[int]) -> None:
    for target, foreign in ((X86, 0x4000_0003), (X86, ARM.audit_arch), (ARM, 0x4000_0028), (ARM, X86.audit_arch)):
        assert decide(seccomp.program(target), foreign, number, arguments) == seccomp.KILL


@given(number=st.integers(seccomp.X32_BIT, 2**32 - 1))
def test_the_other_word_size_is_always_death(number: int) -> None:
    assert decide(seccomp.program(X86), X86.audit_arch, number) == seccomp.KILL


@pytest.mark.parametrize("rule", seccomp.RULES)
def test_leaving_out_a_rule_changes_the_filter(rule: str) -> None:
    assert seccomp.program(X86, [rule]) != seccomp.program(X86) or seccomp.program(ARM, [rule]) != seccomp.program(ARM)


def test_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(KeyError, match="no such filter rule"):
        seccomp.program(X86, ["opne"])


@pytest.mark.skipif(platform.machine() != "x86_64" or os.name != "posix", reason="32-bit entry is an x86 matter")
def test_the_32_bit_entry_kills_for_real() -> None:
    """Machine code `int 0x80` with getpid's 32-bit number, on a page made before the filter went up."""
    pid = os.fork()
    if pid == 0:
        page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        page.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        enter = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
        ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
        if seccomp.installer(seccomp.program(X86))() == 0:
            enter()
        os._exit(3)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGSYS
