"""What threads give a model, and how fast it samples: `python benchmarks/threads.py MODEL`.

MODEL is a folder, or `embedded`. Prompts begin alike, as those with worked examples do, and go on differently. Sides
take turns in one process: one thread, as many as there are processors, the automatic choice, and `generate` of
transformers on the same prompts with all threads; with `--update` an update on what was sampled, too. Each samples
exactly so many tokens. Ratios are medians over the rounds. Wants a machine with nothing else to do: threads are judged
by the wall clock. Prints a table and writes it with machine, commit and date to `benchmarks/results/`.
"""

import argparse
import os
import statistics
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from executor import RESULTS, keep, machine, row, show

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.machine import processors
from absolute_zero.policy.generic import left_padded
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.policy.tokens import Tokens
from absolute_zero.types import Completion, Prompt, Sample, Sampling

EMBEDDED = Path(__file__).resolve().parents[1] / "src" / "absolute_zero" / "pretraining" / "weights"


def prompts(tokens: Any, count: int, shared: int, own: int) -> list[Prompt]:
    """Return texts of about so many tokens that begin alike, and so many of their own: of source code."""
    source: list[int] = tokens.tokenizer(Path(textwrap.__file__).read_text(), add_special_tokens=False)["input_ids"]
    rest = source[shared:]
    starts = (number * max(1, (len(rest) - own) // count) for number in range(count))
    return [Prompt(tokens.decode([*source[:shared], *rest[start : start + own]])) for start in starts]


def generate(policy: LocalPolicy, asked: list[Prompt], n: int, new: int) -> Callable[[], int]:
    """Return what samples by transformers' `generate`, on its own choice of attention and all processors."""
    ids, mask = left_padded([row for row in policy.tokens.encode(asked) for _ in range(n)], policy.device)

    def run() -> int:
        torch.set_num_threads(processors())
        arguments = {"min_new_tokens": new, "max_new_tokens": new, "do_sample": True, "top_k": 0, "top_p": 1.0}
        policy.model.set_attn_implementation("sdpa")
        with torch.inference_mode():
            out = policy.model.generate(ids, attention_mask=mask, temperature=1.0, pad_token_id=0, **arguments)
        return (out.shape[1] - ids.shape[1]) * len(ids)

    return run


def sides_of(policy: LocalPolicy, asked: list[Prompt], chosen: argparse.Namespace) -> dict[str, Callable[[], int]]:
    """Return what is measured by name: each works once, and returns how many tokens it sampled or learned from."""
    keys = [Key(0).at(item) for item in range(len(asked))]

    def with_threads(threads: int) -> None:
        policy.cfg = policy.cfg.model_copy(update={"model": policy.cfg.model.model_copy(update={"threads": threads})})

    def sampled(threads: int) -> list[list[Completion]]:
        with_threads(threads)
        return policy.sample(asked, chosen.rollouts, Sampling(max_tokens=chosen.new, stop=()), keys)

    def sample(threads: int) -> Callable[[], int]:
        return lambda: sum(len(completion.tokens) for rows in sampled(threads) for completion in rows)

    def update(threads: int) -> Callable[[], int]:
        samples = [
            Sample(prompt, completion, advantage=1.0 - 2 * (number % 2))
            for prompt, rows in zip(asked, sampled(0), strict=True)
            for number, completion in enumerate(rows)
        ]

        def run() -> int:
            with_threads(threads)
            return int(policy.update(samples)["update/tokens"])

        return run

    every = {"one thread": 1, "all threads": processors(), "automatic": 0}
    sides = {f"sample, {name}": sample(threads) for name, threads in every.items()}
    if chosen.update:
        sides |= {f"update, {name}": update(threads) for name, threads in every.items()}
    if chosen.generate:
        sides["generate, all threads"] = generate(policy, asked, chosen.rollouts, chosen.new)
    return sides


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure threads and sampling; results go to benchmarks/results/.")
    parser.add_argument("model", help="a folder in Hugging Face's format, or 'embedded'")
    parser.add_argument("--rounds", type=int, default=3, help="turns, after one to warm up (default 3)")
    sizes = {"prompts": 12, "rollouts": 1, "shared": 900, "own": 150, "new": 128}
    for name, default in sizes.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    parser.add_argument("--generate", action="store_true", help="measure transformers' generate too")
    parser.add_argument("--update", action="store_true", help="measure an update of the samples too")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    chosen = parser.parse_args()
    settings = {"model": {"device": "cpu"}, "update": {"learning_rate": 0.0}}
    path = EMBEDDED if chosen.model == "embedded" else Path(chosen.model)
    policy = LocalPolicy.open(path, Config.model_validate(settings))
    policy.tokens = Tokens(policy.tokens.tokenizer, [])  # exactly so many tokens: there is no end of text
    asked = prompts(policy.tokens, chosen.prompts, chosen.shared, chosen.own)
    sides = sides_of(policy, asked, chosen)
    wall: dict[str, list[float]] = {name: [] for name in sides}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(chosen.rounds + 1):
        for name, side in sides.items():
            before = time.perf_counter(), time.process_time()
            tokens = side()
            spent = time.perf_counter() - before[0], time.process_time() - before[1]
            print(f"turn {turn}: {name}: {tokens} tokens, {spent[0]:.1f} s, {spent[1]:.1f} CPU s", flush=True)
            if turn or not chosen.rounds:
                wall[name].append(tokens / spent[0])
                cpu[name].append(tokens / spent[1])
    rows = [row(name, "tokens/s", values) for name, values in wall.items()]
    rows += [row(name, "tokens/CPU s", values) for name, values in cpu.items()]
    pairs = [("automatic", "all threads", ">= 0.9"), ("all threads", "one thread", "")]
    works = ["sample", "update"] if chosen.update else ["sample"]
    ratios = [(f"{work}, {first}", f"{work}, {second}", needed) for work in works for first, second, needed in pairs]
    if chosen.generate:
        ratios.append(("sample, automatic", "generate, all threads", ""))
    for first, second, needed in ratios:
        values = [a / b for a, b in zip(wall[first], wall[second], strict=True)]
        rows.append(row(f"{first} / {second}", "speed / speed", values, needed))
    print(f"{'':52} {'median':>10} {'min':>10} {'max':>10}")
    for line in rows:
        show(line)
    options = " ".join(f"--{name} {getattr(chosen, name)}" for name in ("rounds", *sizes))
    flags = "".join(f" --{name}" for name in ("generate", "update") if getattr(chosen, name))
    lengths = [len(ids) for ids in policy.tokens.encode(asked)]
    record = machine()
    record["command"] = f"benchmarks/threads.py {'embedded' if path == EMBEDDED else 'MODEL'} {options}{flags}"
    record["work"] = {
        "parameters": sum(parameter.numel() for parameter in policy.model.parameters()),
        "prompt_tokens": statistics.mean(lengths),
    }
    record["rows"] = rows
    keep(record, f"threads-{'embedded' if path == EMBEDDED else path.name}", chosen.out)


if __name__ == "__main__":
    main()
