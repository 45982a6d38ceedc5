"""Held-out tasks of the three kinds, and a policy's marks on them.

A suite is a JSONL file, one task a line: `{"kind": ..., "program": ..., "pairs": [[input, output], ...], "message":
...}`. It is posed, answered and judged by `selfplay.solve`, as in training; nothing of it is stored in a buffer.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from absolute_zero.chance import Chance
from absolute_zero.evals.statistics import Marks
from absolute_zero.ports import World
from absolute_zero.selfplay import solve
from absolute_zero.types import Entry, Kind, Problem, Rollout, Sampling, Standing, UserError

TRIES: Final = 8
"""Tries per task at temperature 1: enough for pass@8."""


SUITES: Final = files("absolute_zero.evals") / "suites"
"""The suites in the package: `held_out` and `ood`, programs that the embedded model's grammar does not make."""


def suites(tasks: int) -> dict[str, list[Entry]]:
    """The first so many tasks of each kind, by suite."""
    found: dict[str, list[Entry]] = {}
    for path in suite_files():
        entries, counts = read_suite(path), Counter[Kind]()
        for entry in entries:
            counts[entry.problem.kind] += 1
            if counts[entry.problem.kind] <= tasks:
                found.setdefault(path.stem, []).append(entry)
    return found


def suite_files() -> list[Path]:
    """The files of the suites in the package. Their programs never enter a buffer."""
    return (
        sorted(Path(str(file)) for file in SUITES.iterdir() if file.name.endswith(".jsonl")) if SUITES.is_dir() else []
    )


def read_suite(path: Path) -> list[Entry]:
    """The tasks of a file, numbered from 1. Raises UserError with the line that is none."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the tasks of {str(path)!r}: {error}") from None
    entries: list[Entry] = []
    for number, line in enumerate(lines, 1):
        try:
            row: dict[str, Any] = json.loads(line)
            pairs = tuple((str(given), str(output)) for given, output in row["pairs"])
            problem = Problem(Kind(row["kind"]), str(row["program"]), pairs, str(row.get("message", "")))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}:{number}: not a task ({error}); give kind, program and pairs") from None
        entries.append(Entry(number, problem))
    return entries


def write_suite(path: Path, problems: Iterable[Problem]) -> None:
    """A file that `read_suite` reads."""
    with path.open("w", encoding="utf-8") as file:
        for p in problems:
            row = {"kind": p.kind, "program": p.program, "pairs": p.pairs, "message": p.message}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def evaluate(world: World, entries: Sequence[Entry], how: Sampling, chance: Chance) -> list[Marks]:
    """Marks for each task: eight tries as `how` says, and a greedy one. Tasks of kinds that are not played are left
    out, so compare only what the same world has answered."""
    played = [entry for entry in entries if entry.problem.kind in world.tasks]
    tried = solve(played, TRIES, world, how, chance.at("tries"))
    greedy = solve(played, 1, world, replace(how, temperature=0.0, top_p=1.0), chance.at("greedy"))
    marks: list[Marks] = []
    for entry, tries, [first] in zip(played, tried, greedy, strict=True):
        judged = [rollout for rollout in tries if not _void(rollout)]
        best = None if _void(first) else _right(first)
        marks.append(Marks(entry.problem.kind, sum(map(_right, judged)), len(judged), best))
    return marks


def _void(rollout: Rollout) -> bool:
    return rollout.judgement.standing is Standing.VOID


def _right(rollout: Rollout) -> bool:
    return rollout.judgement.right
