"""What the learner's attention costs, measured: `python benchmarks/attention.py`.

Forward and backward of `absolute_zero.policy.attention`, of the same as one plain product under automatic
differentiation, and of torch's fused kernel, on documents of one length with the embedded model's heads. Each takes
its turn in every round, on one thread; ratios are of processor time and medians over the rounds. Prints a line for
each length and writes them with machine, commit and date to `benchmarks/results/`.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from executor import RESULTS, keep, machine
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy import hardware
from absolute_zero.policy.attention import attention, bias, future

HEADS, GROUP, SIZE = 2, 3, 32
TOKENS = 1500
"""In a micro-batch."""
LENGTHS = (96, 176, 288, 512)


def plain(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    score = q.flatten(1, 2) @ k.transpose(1, 2)
    share = score.view(*q.shape[:3], -1).add_(bias_11TT[0]).softmax(-1)
    return (share.view(score.shape) @ v).view(q.shape)


def ours(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    return attention(q, k, v, bias_11TT, HEADS)


def fused(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k[:, None], v[:, None], is_causal=True, scale=1.0, enable_gqa=True)


SIDES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {"ours": ours, "plain": plain, "fused": fused}


def measured(length: int, rounds: int, dtype: torch.dtype) -> dict[str, object]:
    """Milliseconds of each side, and how many times ours the others take."""
    rows = HEADS * max(1, TOKENS // length)
    bias_11TT = bias(future(length, torch.device("cpu")), dtype)[None, None]
    spent: dict[str, list[float]] = {name: [] for name in SIDES}
    for turn in range(rounds + 1):
        q, k, v = (
            torch.randn(size, dtype=dtype).div_(SIZE**0.25).requires_grad_()
            for size in ((rows, GROUP, length, SIZE), (rows, length, SIZE), (rows, length, SIZE))
        )
        d_out = torch.randn_like(q)
        if turn == 0:
            results = [side(q, k, v, bias_11TT) for side in SIDES.values()]
            for other in results[1:]:
                torch.testing.assert_close(other, results[0], rtol=0.05, atol=0.05)
        for name, side in SIDES.items():
            begun = time.process_time()
            torch.autograd.grad(side(q, k, v, bias_11TT), (q, k, v), d_out)
            spent[name].append(1000 * (time.process_time() - begun))
    found: dict[str, object] = {"length": length, "rows": rows // HEADS}
    for name, times in spent.items():
        found[f"{name}, CPU ms"] = round(statistics.median(times[1:]), 2)  # the first warms up
    for name in ("plain", "fused"):
        ratios = sorted(a / b for a, b in zip(spent[name][1:], spent["ours"][1:], strict=True))
        found[f"{name} / ours"] = [round(f(ratios), 2) for f in (statistics.median, min, max)]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the learner's attention; goes to benchmarks/results/.")
    parser.add_argument("--rounds", type=int, default=40, help="turns, after one to warm up (default 40)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder for the result")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    dtype = hardware.precision("auto", torch.device("cpu"))
    record = machine()
    record |= {"command": f"benchmarks/attention.py --rounds {chosen.rounds}", "torch": torch.__version__}
    record |= {"dtype": str(dtype), "work": {"heads": HEADS, "group": GROUP, "size": SIZE, "tokens": TOKENS}}
    record["rows"] = rows = [measured(length, chosen.rounds, dtype) for length in LENGTHS]
    for row in rows:
        print(json.dumps(row))
    keep(record, "attention", chosen.out)


if __name__ == "__main__":
    main()
