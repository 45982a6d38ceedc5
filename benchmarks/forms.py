"""The form table: how a real model answers and proposes under each way to ask it, many responses a cell.

    python benchmarks/forms.py MODEL --name NAME [--data FILE] [--responses 102] [--log FILE] [--out FILE]

For each way (`evals.fitting.FORMS`) chunks of proposals and answers are drawn as `azr try` draws them, until each kind
and role has as many as are asked for; proposals of a chunk first see the domain's seeds, then what was accepted. Each
chunk is a line of the log, which is read when the command is given again: it goes on where it was stopped.
Prints a table, and writes counts and 95 % intervals as JSON. Slow on a CPU: hours for half a billion weights.
"""

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from executor import machine

from absolute_zero.buffer import Buffer
from absolute_zero.cli.screen import note
from absolute_zero.components import open_components
from absolute_zero.config import Config, literal, load
from absolute_zero.evals.fitting import FORMS, Fitting, Settings, Way, describe, propose_jointly, solve_jointly
from absolute_zero.evals.models import tasks_by_kind
from absolute_zero.evals.responses import Response, failures, mean_tokens, share
from absolute_zero.evals.statistics import proportion
from absolute_zero.keys import Key
from absolute_zero.types import Role, Task

CHUNK = 17
"""Responses of each kind and role between two lines of progress."""
RECIPE = "coder-0.5b-lora"


def main() -> None:
    """Draw what is missing, and write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("--name", required=True, help="what the model is called in the table")
    parser.add_argument("--data", type=Path, action="append", default=[], help="tasks to answer, beside the domain's")
    parser.add_argument("--responses", type=int, default=6 * CHUNK)
    parser.add_argument("--ways", type=int, default=len(FORMS), help="only so many ways, the likeliest first")
    parser.add_argument("--log", type=Path, default=Path("forms.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("forms.json"))
    options = parser.parse_args()
    fixed = [f"model.path={literal(options.model)}", "lora.rank=0"]

    def with_(more: Settings) -> Config:
        return load(RECIPE, [*fixed, *(f"{key}={literal(value)}" for key, value in more.items())])

    cfg = with_({})
    with open_components(cfg, note) as parts:
        ways = Fitting(with_, parts, {}, 1, cfg.seed, FORMS[: options.ways]).ways
        tasks = shuffled(tasks_by_kind(cfg, parts, options.data), cfg.seed)
        begun = read_log(ways, options.log, options.name)
        for chunk in range(begun, -(-options.responses // CHUNK)):
            draw(ways, tasks, chunk, options)
            print(f"{time.strftime('%H:%M')}: {(chunk + 1) * CHUNK} of {options.responses}", flush=True)
            write(options, ways)
        write(options, ways)


def shuffled(tasks: Mapping[str, list[Task]], seed: int) -> dict[str, list[Task]]:
    """Return the tasks of each kind in an order that the seed gives."""
    return {
        kind: [own[index] for index in Key(seed).at("forms", kind).choose(len(own), len(own))]
        for kind, own in tasks.items()
    }


def draw(ways: list[Way], tasks: Mapping[str, list[Task]], chunk: int, options: Any) -> None:
    """Draw a chunk of every way, kind and role, and log it."""
    key, policy = Key(ways[0].cfg.seed).at("forms", chunk), ways[0].parts.policy
    fresh = [
        Way(way.settings, way.cfg, way.parts, Buffer(way.cfg, way.parts.task_types, way.parts.seeds)) for way in ways
    ]
    for part, size in enumerate((CHUNK // 2, CHUNK - CHUNK // 2)):
        propose_jointly(fresh, size, key.at("propose", part), policy)
    asked = [own[(chunk * CHUNK + i) % len(own)] for own in tasks.values() for i in range(CHUNK)]
    solve_jointly(fresh, [asked] * len(fresh), key, policy)
    rows: list[dict[str, Any]] = []
    for way, more in zip(ways, fresh, strict=True):
        for (kind, role), responses in more.responses.items():
            way.responses.setdefault((kind, role), []).extend(responses)
            rows += [{"way": describe(way), "kind": kind, "role": role, **plain(it)} for it in responses]
    with options.log.open("a", encoding="utf-8") as lines:  # in one piece, which begins with a line of its own
        lines.write("\n".join(["", json.dumps({"model": options.name, "chunk": chunk, "rows": rows})]))


def plain(it: Response) -> dict[str, Any]:
    """Return a response as the log has it."""
    return {name: getattr(it, name) for name in Response.__slots__}


def read_log(ways: list[Way], log: Path, name: str) -> int:
    """Add what is in the log to the ways, and return how many chunks that is. A chunk that is torn is drawn again."""
    chunks = 0
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if record["model"] != name:
            raise SystemExit(f"{log} is of {record['model']}, not {name}: give another --log")
        if record["chunk"] != chunks:
            continue
        chunks += 1
        for row in record["rows"]:
            way = next(way for way in ways if describe(way) == row["way"])
            slot = row["kind"], Role(row["role"])
            known = {key: value for key, value in row.items() if key not in ("way", "kind", "role")}
            way.responses.setdefault(slot, []).append(Response(**known))
    return chunks


def write(options: Any, ways: list[Way]) -> None:
    """Write and print what there is."""
    table = {
        describe(way): {f"{role} {kind}": cell(way.responses[kind, role]) for kind, role in way.responses}
        for way in ways
    }
    record = {
        "model": options.name, "data": [path.name for path in options.data], "temperature": 1.0, "recipe": RECIPE,
        "machine": machine(), "ways": table,
    }  # fmt: skip
    options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    for way, cells in table.items():
        print(way)
        for slot, own in cells.items():
            shares = "  ".join(f"{name} {own[name][0]:.0%}" for name in ("well_formed", "good", "strict_good"))
            print(f"    {slot:<20} n {own['n']}  {shares}  tokens {own['tokens']}")


def cell(responses: list[Response]) -> dict[str, Any]:
    """Return the numbers of a cell: shares with their 95 % intervals, mean tokens, the commonest failures."""
    strict = sum(it.strict and it.good for it in responses)
    shares = {name: share(responses, name) for name in ("well_formed", "good", "strict", "accepted")}
    shares["strict_good"] = proportion(strict, len(responses))
    return {
        "n": len(responses),
        **{name: [round(value, 4) for value in estimate] for name, estimate in shares.items()},
        "tokens": round(mean_tokens(responses)),
        "failures": {reason: count for reason, count, _ in failures(responses, 4)},
    }


if __name__ == "__main__":
    main()
