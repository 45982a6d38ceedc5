"""What the policy costs, measured: `python benchmarks/policy.py --peer-python PYTHON`.

The same work as TRL's GRPOTrainer on the same model: prompts of equal length, eight completions of exactly 64 tokens
each, one clipped update on all of them. Every side is a process of its own (`policy_sides.py`) and they make steps in
turns, so that whatever else the machine does hits all; ratios are medians over the turns. Then memory over many steps
of varying lengths, and where a step spends its time. Prints a table and writes it with machine, commit and date to
`benchmarks/results/`.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from executor import RESULTS, keep, kilobytes, machine, show

SIDES = Path(__file__).resolve().parent / "policy_sides.py"
SOURCE = Path(__file__).resolve().parents[1] / "src"
SIZES = {"prompts": 32, "rollouts": 8, "prompt-tokens": 100, "new-tokens": 64, "micro": 32}
MODEL: dict[str, Any] = {
    "vocab_size": 1024,
    "hidden_size": 192,
    "intermediate_size": 512,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": True,
}


def make_model(folder: str) -> int:
    """Save a Llama of random weights with its tokenizer there, and return its number of parameters."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers.utils import logging

    logging.disable_progress_bar()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fillers = [f"filler{number}" for number in range(MODEL["vocab_size"] - len(alphabet) - 1)]
    vocabulary = {piece: number for number, piece in enumerate([*alphabet, *fillers, "<|end|>"])}
    core = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<|end|>", pad_token="<|end|>")
    end = tokenizer.eos_token_id
    config = LlamaConfig(**MODEL, bos_token_id=None, eos_token_id=end, pad_token_id=end)  # type: ignore[arg-type]
    model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


class Side:
    """A process that makes steps."""

    def __init__(
        self, name: str, python: str, side: str, model: str, threads: int,
        options: Mapping[str, Any] = SIZES, **environment: str,
    ) -> None:  # fmt: skip
        self.name, self.options = name, options
        inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "GOMP_"))}
        arguments = [f"--{key}={value}" for key, value in options.items()]
        self.process = subprocess.Popen(
            [python, str(SIDES), side, f"--model={model}", f"--threads={threads}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**inherited, "PYTHONPATH": str(SOURCE), "HF_HUB_OFFLINE": "1", **environment},
        )
        self.steps: list[dict[str, Any]] = []
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"{self.name} ended with exit code {self.process.wait()}")

    def step(self) -> None:
        """Make a step, and keep what it measured and the load of the machine before it."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        done = self._answer()
        sizes = self.options
        assert done["tokens"] == sizes["prompts"] * sizes["rollouts"] * sizes["new-tokens"], done
        self.steps.append({**done, "load": os.getloadavg()[0]})

    @property
    def seconds(self) -> float:
        """What the last step took."""
        return self.steps[-1]["generating"][0] + self.steps[-1]["rest"][0]

    def close(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


def figures(name: str, unit: str, values: Sequence[float], needed: str = "") -> dict[str, Any]:
    """Return a row of the record: median and extremes of the values, and what the ratio is meant to be."""
    digits = 0 if unit.startswith("tokens") else 3
    low, middle, high = (round(f(values), digits) for f in (min, statistics.median, max))
    return {
        "name": name,
        "unit": unit,
        "median": middle,
        "min": low,
        "max": high,
        "rounds": len(values),
        "needed": needed,
    }


def hopeless(sides: Sequence[Side]) -> tuple[list[Side], list[Side]]:
    """Close and return the thread policies of a side that are out of the race on this machine now, and those that stay.

    Threads that spin, beside other work, take minutes a step.
    """
    slow = [
        side
        for side in sides
        if side.seconds > 2.5 * min(other.seconds for other in sides if other.name[:3] == side.name[:3])
    ]
    for side in slow:
        side.close()
    return slow, [side for side in sides if side not in slow]


def against(peer_python: str | None, model: str, rounds: int) -> list[dict[str, Any]]:
    """Make steps in turns, each side at its own best thread policy and all at one thread, and return the rows."""
    tokens = SIZES["prompts"] * SIZES["rollouts"]
    trained = tokens * (SIZES["prompt-tokens"] + SIZES["new-tokens"])
    passive = {"OMP_WAIT_POLICY": "PASSIVE"}
    with ExitStack() as stack:
        sides = [
            Side("ours, automatic workers", sys.executable, "ours", model, 0),
            Side("ours, 1 worker", sys.executable, "ours", model, 1),
        ]
        if peer_python:
            sides += [
                Side("TRL, 2 threads", peer_python, "trl", model, 2),
                Side("TRL, 2 passive threads", peer_python, "trl", model, 2, SIZES, **passive),
                Side("TRL, 1 thread", peer_python, "trl", model, 1, SIZES, **passive),
            ]
        for side in sides:
            stack.callback(side.close)
        slow: list[Side] = []
        for turn in range(rounds + 1):
            for side in sides:
                side.step()
            if turn == 0:
                slow, sides = hopeless(sides)
            took = (f"{side.seconds:.1f}" for side in sides)
            print(f"turn {turn} of {rounds}, seconds:", *took, file=sys.stderr, flush=True)
    rows: list[dict[str, Any]] = [figures(f"{side.name}: step, and out", "s", [side.seconds]) for side in slow]
    wall: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    for side in sides:
        steps = side.steps[1:]  # the first one warms up
        wall[side.name] = [s["generating"][0] + s["rest"][0] for s in steps]
        cpu[side.name] = [s["generating"][1] + s["rest"][1] for s in steps]
        rows += [
            figures(f"{side.name}: step", "s", wall[side.name]),
            figures(f"{side.name}: step", "CPU s", cpu[side.name]),
            figures(f"{side.name}: generated", "tokens/s", [s["tokens"] / s["generating"][0] for s in steps]),
            figures(f"{side.name}: generated", "tokens/CPU s", [s["tokens"] / s["generating"][1] for s in steps]),
            figures(f"{side.name}: trained", "tokens/s", [trained / s["rest"][0] for s in steps]),
            figures(f"{side.name}: trained", "tokens/CPU s", [trained / s["rest"][1] for s in steps]),
            figures(f"{side.name}: load before the step", "processes", [s["load"] for s in steps]),
        ]
    if peer_python:
        theirs = [name for name in wall if name.startswith("TRL")]
        best = [min(wall[name][turn] for name in theirs) for turn in range(rounds)]
        least = [min(cpu[name][turn] for name in theirs) for turn in range(rounds)]
        own = [min(wall[name][turn] for name in wall if name.startswith("ours")) for turn in range(rounds)]
        both = zip(best, own, strict=True), zip(wall["TRL, 1 thread"], wall["ours, 1 worker"], strict=True)
        names = "TRL's fastest / our fastest, each turn", "TRL, 1 thread / ours, 1 worker"
        rows += [
            figures(f"step: {name}", "s / s", [a / b for a, b in p], ">= 2")
            for name, p in zip(names, both, strict=True)
        ]
        pairs = zip(least, cpu["ours, 1 worker"], strict=True)
        rows.append(figures("step: TRL's least / ours, 1 worker", "CPU / CPU", [a / b for a, b in pairs], ">= 2"))
    return rows


def memory_child(model: str, steps: int) -> None:
    """Make steps of ever other lengths, and print the resident memory, in MB, now and then."""
    import random

    from absolute_zero.config import Config
    from absolute_zero.keys import Key
    from absolute_zero.policy.local import LocalPolicy
    from absolute_zero.types import Prompt, Sample, Sampling

    settings = {"model": {"device": "cpu", "dtype": "bfloat16"}, "update": {"tokens_per_batch": 2048}}
    policy = LocalPolicy.open(Path(model), Config.model_validate(settings))
    dice, letters = random.Random(0), "abcdefghijklmnopqrstuvwxyz"
    seen: list[int] = []
    for step in range(steps):
        texts = ["".join(dice.choices(letters, k=dice.randint(5, 200))) for _ in range(dice.randint(2, 8))]
        asked = [Prompt(text) for text in texts]
        sampling = Sampling(max_tokens=dice.randint(20, 120), stop=tuple(letters))  # stops after 40 or so
        rows = policy.sample(asked, 4, sampling, [Key(step).at(item) for item in range(len(asked))])
        policy.update([Sample(p, c, dice.gauss(0, 1)) for p, row in zip(asked, rows, strict=True) for c in row])
        if (step + 1) % max(1, steps // 10) == 0:
            seen.append((kilobytes(os.getpid(), "Rss") or 0) // 1024)
            print(f"step {step + 1}: {seen[-1]} MB", file=sys.stderr, flush=True)
    print(json.dumps(seen))


def memory(model: str, steps: int) -> dict[str, Any]:
    """Return the resident memory over many steps of varying lengths, in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve()), "--memory-child", model, "--steps", str(steps)]
    seen = json.loads(subprocess.check_output(command, text=True, env={**os.environ, "PYTHONPATH": str(SOURCE)}))
    return {"name": "resident memory over steps of varying lengths", "unit": "MB", "steps": steps, "tenths": seen}


GROUPS = {
    "products with weights": ("aten::mm", "aten::addmm"),
    "products in attention": ("aten::bmm", "aten::baddbmm"),
    "softmax": ("aten::_softmax", "aten::_softmax_backward_data"),
    "copies": ("aten::copy_", "aten::cat", "aten::index_select", "aten::fill_", "aten::gather"),
    "norms, rotation, activation": (
        "aten::mul", "aten::mul_", "aten::silu", "aten::silu_backward", "aten::add", "aten::add_", "aten::addcmul",
        "aten::linalg_vector_norm", "aten::pow", "aten::div", "aten::rsqrt",
    ),
}  # fmt: skip


def profile(model: str) -> list[dict[str, Any]]:
    """Return shares of the processor time of sampling and of an update, by what is computed; one worker."""
    from policy_sides import prompts
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    from absolute_zero.config import Config
    from absolute_zero.keys import Key
    from absolute_zero.policy.local import LocalPolicy
    from absolute_zero.types import Prompt, Sample, Sampling

    settings = {"model": {"device": "cpu", "dtype": "bfloat16", "threads": 1}, "update": {"tokens_per_batch": 2560}}
    policy = LocalPolicy.open(Path(model), Config.model_validate(settings))
    asked = [Prompt(text) for text in prompts(SIZES["prompts"], SIZES["prompt-tokens"], 0)]
    keys = [Key(0).at(item) for item in range(len(asked))]

    def sample() -> list[Sample]:
        rows = policy.sample(asked, SIZES["rollouts"], Sampling(max_tokens=SIZES["new-tokens"], stop=()), keys)
        return [Sample(p, c, 1.0 - 2 * (n % 2)) for p, row in zip(asked, rows, strict=True) for n, c in enumerate(row)]

    samples = sample()
    policy.update(samples)
    rows: list[dict[str, Any]] = []
    for name, work in (("sampling", sample), ("update", lambda: policy.update(samples))):
        with profiler(activities=[ProfilerActivity.CPU]) as seen:
            work()
        spent = {event.key: event.self_cpu_time_total for event in seen.key_averages()}
        whole = sum(spent.values())
        shares = {group: sum(spent.get(key, 0) for key in keys) / whole for group, keys in GROUPS.items()}
        shares["everything else"] = 1 - sum(shares.values())
        rows.append({"name": f"where {name} spends its time", "shares": {k: round(v, 3) for k, v in shares.items()}})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the policy; results go to benchmarks/results/.")
    parser.add_argument("--peer-python", help="a Python that has torch and TRL; without it, only our side is measured")
    parser.add_argument("--rounds", type=int, default=4, help="turns, after one to warm up (default 4)")
    parser.add_argument("--steps", type=int, default=500, help="steps of the memory measurement (default 500)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    parser.add_argument("--memory-child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.memory_child:
        return memory_child(chosen.memory_child, chosen.steps)
    record = machine()
    peer = " --peer-python PYTHON" if chosen.peer_python else ""
    record["command"] = f"benchmarks/policy.py{peer} --rounds {chosen.rounds} --steps {chosen.steps}"
    with tempfile.TemporaryDirectory() as folder:
        record["work"] = {**SIZES, "parameters": make_model(folder)}
        for key, python in (("torch", sys.executable), ("trl", chosen.peer_python)):
            if python:
                code = f"import importlib.metadata as m; print(m.version({key!r}))"
                record[key] = subprocess.check_output([python, "-c", code], text=True).strip()
        rows = against(chosen.peer_python, folder, chosen.rounds)
        print(f"{'':52} {'median':>10} {'min':>10} {'max':>10}")
        for line in rows:
            show(line)
        rows += profile(folder)
        if chosen.steps:
            rows.append(memory(folder, chosen.steps))
    for line in rows:
        if "median" not in line:
            print(json.dumps(line))
    record["rows"] = rows
    keep(record, "policy", chosen.out)


if __name__ == "__main__":
    main()
