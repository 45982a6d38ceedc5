"""What an update of a language model takes, measured: `python benchmarks/update_memory.py MODEL`.

Eight completions of 250 tokens, after one prompt of 250 that they share or after eight prompts that begin alike for
`--prefix` tokens; with an adapter (`--rank`, 0 for all weights). A process of its own per case opens the model and
makes two updates. Memory is resident, in GB, above that of the process when the model is open and nothing has been
computed; of the peak of the second update are told apart gradients, moments, and the rest: activations, and what is
under way. Beside it stand the same products bare, of the shapes of the update: what bounds its time. Prints a table
and writes it with machine, commit and date to `benchmarks/results/`.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from executor import RESULTS, keep, machine

PROMPT, COMPLETION, SEQUENCES = 250, 250, 8
GB = 1e9


def resident(what: str) -> float:
    """Return VmRSS or VmHWM of this process, in GB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024 / GB
    raise SystemExit("this kernel does not tell resident memory")


def items(layout: str, prefix: int, vocabulary: int) -> list[Any]:
    """Return the samples of an update, of random tokens."""
    from absolute_zero.policy.batches import Item

    dice = random.Random(0)

    def drawn(size: int) -> tuple[int, ...]:
        return tuple(dice.randrange(vocabulary) for _ in range(size))

    common = drawn(prefix)
    prompts = [(*common, *drawn(PROMPT - prefix if prefix < PROMPT else PROMPT)) for _ in range(SEQUENCES)]
    if layout == "shared":
        prompts = prompts[:1] * SEQUENCES
    level = (-11.0,) * COMPLETION
    return [Item(prompt, drawn(COMPLETION), level, dice.uniform(-1, 1), 1.0) for prompt in prompts]


def bare_seconds(model: Any, batches: Sequence[Any], trains_weights: bool) -> float:
    """Return the seconds of the products of an update, each by itself: outputs, and gradients of what is trained."""
    import torch

    from absolute_zero.policy.batches import forest_tokens

    config = model.config
    e, f, v = config.hidden_size, config.intermediate_size, config.vocab_size
    head = getattr(config, "head_dim", None) or e // config.num_attention_heads
    kv = head * config.num_key_value_heads
    q = head * config.num_attention_heads
    total = 0.0
    for batch in batches:
        tokens = forest_tokens(batch)
        targets = sum(len(item.completion) for group in batch for item in group.items)
        shapes = [(tokens, e, q + 2 * kv), (tokens, q, e), (tokens, e, f), (tokens, e, f), (tokens, f, e)]
        for rows, width, out in (*shapes, (targets, e, v)):
            parts = min(rows, 216) if out == v else rows  # the head goes in chunks
            x, w = torch.randn(parts, width), torch.randn(out, width)
            begun = time.perf_counter()
            y = x @ w.T
            _ = y @ w
            if trains_weights:
                _ = y.T @ x
            spent = time.perf_counter() - begun
            total += spent * (rows / parts if out == v else config.num_hidden_layers)
    return total


def case(chosen: argparse.Namespace) -> dict[str, Any]:
    """Make two updates in this process, and return what they took."""
    from absolute_zero.config import Config
    from absolute_zero.policy.local import LocalPolicy  # before torch: it says how idle threads wait

    torch = import_module("torch")

    settings = {
        "model": {"device": "cpu", "dtype": "float32", "threads": chosen.threads},
        "lora": {"rank": chosen.rank},
        "update": {
            "learning_rate": 1e-5,
            "kl": 0.0,
            "tokens_per_batch": chosen.tokens_per_batch,
            "checkpoint_activations": chosen.checkpoint,
        },
    }
    policy = LocalPolicy.open(Path(chosen.model), Config.model_validate(settings))
    samples = items(chosen.layout, chosen.prefix, policy.model.config.vocab_size)
    trained = [p for p in policy.model.parameters() if p.requires_grad]
    size = sum(p.nbytes for p in trained) / GB
    opened = resident("VmRSS")
    told: dict[str, Any] = {"opened_gb": opened, "trained_gb": size}
    for turn in (1, 2):
        Path("/proc/self/clear_refs").write_text("5")  # the peak is forgotten
        clock, cpu = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        stats = policy.learner.update(samples, chosen.threads)
        spent = resource.getrusage(resource.RUSAGE_SELF)
        told[f"seconds_{turn}"] = time.perf_counter() - clock
        told[f"cpu_seconds_{turn}"] = spent.ru_utime + spent.ru_stime - cpu.ru_utime - cpu.ru_stime
        told[f"peak_gb_{turn}"] = resident("VmHWM") - opened
        print(f"update {turn}: {told}", file=sys.stderr, flush=True)
    told |= {"gradients_gb": size, "moments_gb": 2 * size, "rest_gb": told["peak_gb_2"] - 3 * size}
    told |= {"loss": stats["loss"], "left_gb": resident("VmRSS") - opened}
    batches = policy.learner.batches(samples)
    told["tokens"] = sum(len(item.prompt) + len(item.completion) for item in samples)
    told["micro_batches"] = len(batches)
    with torch.no_grad():
        told["bare_seconds"] = bare_seconds(policy.model, batches, not chosen.rank)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure an update; results go to benchmarks/results/.")
    parser.add_argument("model", help="a folder of transformers: Llama, Qwen2 or Qwen3")
    parser.add_argument("--rank", type=int, nargs="+", default=[16, 0], help="ranks of the adapter; 0: all weights")
    parser.add_argument("--layout", nargs="+", default=["shared", "separate"], help="shared, separate")
    parser.add_argument("--prefix", type=int, default=0, help="tokens that separate prompts begin with alike")
    parser.add_argument("--tokens-per-batch", type=int, default=1536)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--checkpoint", action="store_true", help="compute activations again")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--case", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.case:
        [chosen.rank], [chosen.layout] = chosen.rank, chosen.layout
        print(json.dumps(case(chosen)))
        return
    record = machine()
    numbers = {"prefix": chosen.prefix, "tokens-per-batch": chosen.tokens_per_batch, "threads": chosen.threads}
    options = [f"--{name}={value}" for name, value in numbers.items()]
    options += ["--checkpoint"] if chosen.checkpoint else []
    record["command"] = " ".join(["benchmarks/update_memory.py MODEL", *options])
    record["rows"] = rows = []
    for rank in chosen.rank:
        for layout in chosen.layout:
            case_of = [chosen.model, "--case", f"--rank={rank}", f"--layout={layout}", *options]
            command = [sys.executable, __file__, *case_of]
            out = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
            told = {name: round(value, 3) for name, value in json.loads(out.splitlines()[-1]).items()}
            rows.append({"rank": rank, "layout": layout, **told})
            print(json.dumps(rows[-1]), flush=True)
    keep(record, "update_memory", chosen.out)


if __name__ == "__main__":
    main()
