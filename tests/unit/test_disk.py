"""What the system or SQLite refuses is one line that says what to do; what is our own fault is none."""

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from absolute_zero.disk import explain_failures
from absolute_zero.store import errors
from absolute_zero.types import UserError

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
PATH = Path("runs") / "1"


def failure(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite has it")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "failed", "line"),
    [
        (FULL, "", f"{PATH}: {FULL.strerror}: make room, or go elsewhere"),
        (FULL, "not kept", f"{PATH}: not kept: {FULL.strerror}: make room, or go elsewhere"),
        (OSError("odd"), "", f"{PATH}: odd: make room, or go elsewhere"),
    ],
)
def test_a_refusal_is_one_line(error: Exception, failed: str, line: str) -> None:
    with pytest.raises(UserError) as refusal, explain_failures(PATH, "go elsewhere", failed=failed):
        raise error
    assert str(refusal.value) == line


@pytest.mark.parametrize(
    ("error", "failed", "line"),
    [
        (FULL, "not kept", f"{PATH}: not kept: {FULL.strerror}: make room, or choose another folder"),
        (
            failure(sqlite3.SQLITE_FULL),
            "not kept",
            f"{PATH}: not kept: no space is left: free some on that disk, then resume the run (as SQLite has it)",
        ),
        (
            failure(sqlite3.SQLITE_PERM | 1 << 8),  # the family is in the low byte
            "",
            f"{PATH}: access is denied: use a run folder that is yours (as SQLite has it)",
        ),
    ],
)
def test_a_refusal_of_the_database_is_one_line(error: Exception, failed: str, line: str) -> None:
    with pytest.raises(UserError) as refusal, errors.explain_failures(PATH, failed=failed):
        raise error
    assert str(refusal.value) == line


@pytest.mark.parametrize("error", [failure(sqlite3.SQLITE_MISUSE), sqlite3.ProgrammingError("closed"), ValueError()])
def test_a_fault_of_ours_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, errors.explain_failures(PATH), explain_failures(PATH):
        raise error
    assert raised.value is error
