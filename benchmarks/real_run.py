"""The record of a run of a real model, for `docs/results`: `python benchmarks/real_run.py RUN --name MODEL --out FILE`.

Reads the run's folder and computes nothing anew: per step and kind, how many proposals were well formed, valid and
accepted, and how many answers well formed and right, each with its 95 % interval (Wilson's), the same by the strict
reading, how many new tasks are learnable, tokens and seconds. `--evals BEFORE AFTER` adds what `azr eval --json`
printed before and after; `--transcripts FILE` writes thirty responses, evenly over steps, roles and kinds.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from executor import machine

from absolute_zero.config import load, overrides
from absolute_zero.disk import digest_of
from absolute_zero.evals.statistics import proportion
from absolute_zero.run import settings_of
from absolute_zero.store import Store, StoredRollout
from absolute_zero.types import Role

TRANSCRIPTS = 30


def main() -> None:
    """Write the record, and the transcripts if they are asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("--name", required=True, help="the model as users find it, such as its name on the hub")
    parser.add_argument("--note", default="", help="what is to be said of these weights")
    parser.add_argument("--recipe", default="coder-0.5b-lora", help="recipe that the run was begun with")
    parser.add_argument("--evals", type=Path, nargs=2, metavar=("BEFORE", "AFTER"))
    parser.add_argument("--transcripts", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    cfg = settings_of(options.run)
    model = Path(cfg.model.path)
    named = cfg.model_copy(update={"model": cfg.model.model_copy(update={"path": options.name})})
    settings = " ".join(overrides(named, load(options.recipe)))
    with Store.read(options.run / "run.db") as store:
        record: dict[str, Any] = {
            "machine": machine(),
            "command": f"azr train --recipe {options.recipe} {settings}",
            "model": options.name,
            "note": options.note,
            "weights": digest_of(model) if model.is_dir() else "",
            "commit": store.get_fact("commit"),
            "steps": dict(steps(store)),
            "flags": [{"step": step, "name": flag.name, "detail": flag.detail} for step, flag in store.flags()],
        }
        if options.evals:
            before, after = (json.loads(path.read_text(encoding="utf-8"))["suites"] for path in options.evals)
            record["evals"] = {"before": before, "after": after}
        options.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        if options.transcripts:
            options.transcripts.write_text("\n".join(transcripts(store)), encoding="utf-8")


def steps(store: Store) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each step, rounds of seeding with numbers up to 0, with what it came to by kind."""
    metrics: defaultdict[int, dict[str, float]] = defaultdict(dict)
    for step, name, value in (*store.metrics(), *store.clocks()):
        metrics[step][name] = value
    for step, own in sorted(metrics.items()):
        kinds = [name.split("/")[2] for name in own if name.startswith("proposals/total/")]
        clocks = {name: round(value, 2) for name, value in own.items() if name.startswith(("time/", "tokens/"))}
        update = {
            name: own[name] for name in ("loss", "grad_norm", "entropy", "ratio/max", "mismatch/max") if name in own
        }
        yield step, {"kinds": {kind: of_kind(own, kind) for kind in kinds}, **clocks, **update}


def of_kind(own: Mapping[str, float], kind: str) -> dict[str, Any]:
    """Return the shares of a kind in a step, each with n and its interval; those not measured are left out."""
    at: dict[str, tuple[float, float]] = {}
    for role, noun in ((Role.PROPOSE, "proposals"), (Role.SOLVE, "answers")):
        slot = f"{role}/{kind}"
        n = own.get(f"rollouts/total/{slot}", 0.0) - own.get(f"rollouts/masked/{slot}", 0.0)
        if not n:
            continue
        at[f"{noun} well formed"] = n - own[f"rollouts/malformed/{slot}"], n
        at[f"{noun} strict"] = own.get(f"rollouts/strict/{slot}", n - own[f"rollouts/malformed/{slot}"]), n
        if role is Role.SOLVE:
            at["answers right"] = own[f"rollouts/correct/{slot}"], n
            at["answers strict and right"] = (
                own.get(f"rollouts/strict_correct/{slot}", own[f"rollouts/correct/{slot}"]),
                n,
            )
    for word in ("valid", "accepted"):
        at[f"proposals {word}"] = own[f"proposals/{word}/{kind}"], own[f"proposals/total/{kind}"]
    graded = sum(value for name, value in own.items() if name.startswith(f"difficulty/histogram/{kind}/"))
    at["new tasks learnable"] = own.get(f"difficulty/learnable/{kind}", 0.0), graded
    return {
        name: [int(n), *(round(part, 4) for part in proportion(int(count), int(n)))]
        for name, (count, n) in at.items()
        if n
    }


def transcripts(store: Store) -> Iterator[str]:
    """Yield thirty responses as Markdown: step after step another role and kind, the first response of each."""
    last = store.last_step() or 0
    slots = sorted({(it.rollout.kind, it.rollout.role) for it in store.rollouts(last)})
    yield "# Thirty responses, chosen by rule: step after step the next kind and role, the first response of each"
    for number in range(TRANSCRIPTS):
        step = 1 + number * last // TRANSCRIPTS
        kind, role = slots[number % len(slots)] if slots else ("", Role.SOLVE)
        own = [it for it in store.rollouts(step) if (it.rollout.kind, it.rollout.role) == (kind, role) and it.has_texts]
        if own:
            yield from transcript(step, own[0])


def transcript(step: int, stored: StoredRollout) -> Iterator[str]:
    """Yield one response: what was asked last, what was written, and what became of it."""
    it = stored.rollout
    turns = [message.content for message in it.prompt.messages if message.role == "user"]
    asked = turns[-1] if turns else it.prompt.shown
    why = " ".join(part for part in (it.grade.status, it.grade.reason, it.grade.detail) if part)
    yield f"\n## Step {step}: {it.role} {it.kind}: {why}, reward {it.reward}\n"
    for text in (asked, it.completion.text):
        fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=2))
        yield f"{fence}text\n{text.strip()}\n{fence}\n"


if __name__ == "__main__":
    main()
