"""A step of LoRA on a real model, beside TRL's: `python benchmarks/adapter.py MODEL --name NAME --peer-python PYTHON`.

The same work on both sides, in float32: prompts of equal length, four completions of exactly so many tokens each, one
clipped update on all of them. The sides make steps in turns (`policy.Side`), TRL with eager and with fused attention,
and the faster of these counts, turn by turn. With long prompts our side computes each prompt once for its completions;
with short ones there is hardly a prompt to share, so what sharing gives stands apart. Both Pythons need peft. Writes a
table with machine, commit and date to `benchmarks/results/`.
"""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from executor import RESULTS, keep, machine, show
from policy import Side, figures

WORK = {"prompts": 2, "rollouts": 4, "new-tokens": 128, "micro": 4, "dtype": "float32", "apart": 1}
PROMPTS = {"long prompts": 256, "short prompts": 16}


def turns(options: dict[str, Any], chosen: argparse.Namespace) -> list[dict[str, Any]]:
    """Make steps in turns, and return the rows: seconds of each side, and the ratios."""
    with ExitStack() as stack:
        sides = [Side("ours", sys.executable, "ours", chosen.model, 0, options)]
        for attention in ("sdpa", "eager"):
            peer = {**options, "attention": attention}
            sides.append(Side(f"TRL, {attention}", chosen.peer_python, "trl", chosen.model, 2, peer))
        for side in sides:
            stack.callback(side.close)
        for turn in range(chosen.rounds + 1):
            for side in sides:
                side.step()
            seconds = (f"{side.seconds:.1f}" for side in sides)
            print(f"turn {turn} of {chosen.rounds}, seconds:", *seconds, file=sys.stderr, flush=True)
    rows: list[dict[str, Any]] = []
    wall: dict[str, list[float]] = {}
    for side in sides:
        steps = side.steps[1:]  # the first one warms up
        parts = {part: [step[part][0] for step in steps] for part in ("generating", "rest")}
        wall[side.name] = [sum(both) for both in zip(*parts.values(), strict=True)]
        rows += [figures(f"{side.name}: {part}", "s", seconds) for part, seconds in parts.items()]
    ours, *theirs = wall.values()
    ratios = [min(both) / own for own, *both in zip(ours, *theirs, strict=True)]
    return [*rows, figures("TRL's faster / ours, each turn", "s / s", ratios, ">= 1.5")]


def main() -> None:
    """Measure both kinds of prompts."""
    parser = argparse.ArgumentParser(description="Measure a step of LoRA beside TRL's.")
    parser.add_argument("model", help="a model's folder")
    parser.add_argument("--name", required=True, help="what it is called in the record")
    parser.add_argument("--peer-python", required=True, help="a Python that has torch, TRL and peft")
    parser.add_argument("--lora", type=int, default=16, help="rank of the adapter (default 16)")
    parser.add_argument("--rounds", type=int, default=3, help="turns, after one to warm up (default 3)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    chosen = parser.parse_args()
    record = machine()
    record["command"] = (
        f"benchmarks/adapter.py MODEL --peer-python PYTHON --lora {chosen.lora} --rounds {chosen.rounds}"
    )
    record["work"] = {**WORK, "model": chosen.name, "lora": chosen.lora}
    rows: list[dict[str, Any]] = []
    for label, tokens in PROMPTS.items():
        for row in turns({**WORK, "prompt-tokens": tokens, "lora": chosen.lora}, chosen):
            rows.append({**row, "name": f"{label}: {row['name']}"})
            show(rows[-1])
    record["rows"] = rows
    keep(record, "adapter", chosen.out)


if __name__ == "__main__":
    main()
