"""What the learner's attention costs, measured: `python benchmarks/attention.py`.

Forward and backward of `absolute_zero.policy.attention`, of the same as one plain product under automatic
differentiation, and of torch's fused kernel, on documents of one length with the embedded model's heads. Each takes
its turn in every round, on one thread; ratios are of processor time and medians over the rounds. Prints a table and
writes it with machine, commit and date to `benchmarks/results/`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from executor import RESULTS, keep, machine, row, show
from torch import Tensor
from torch.nn import functional as F

from absolute_zero.policy import hardware
from absolute_zero.policy.attention import attention, bias, future

HEADS, GROUP, SIZE = 2, 3, 32
TOKENS = 1500
"""In a micro-batch."""
LENGTHS = (96, 176, 288, 512)


def plain(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    """Return attention as one plain product."""
    score = q.flatten(1, 2) @ k.transpose(1, 2)
    share = score.view(*q.shape[:3], -1).add_(bias_11TT[0]).softmax(-1)
    return (share.view(score.shape) @ v).view(q.shape)


def ours(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    """Return attention as the learner computes it."""
    return attention(q, k, v, bias_11TT, HEADS)


def fused(q: Tensor, k: Tensor, v: Tensor, bias_11TT: Tensor) -> Tensor:
    """Return attention by torch's fused kernel."""
    return F.scaled_dot_product_attention(q, k[:, None], v[:, None], is_causal=True, scale=1.0, enable_gqa=True)


SIDES: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {"ours": ours, "plain": plain, "fused": fused}


def measured(length: int, rounds: int, dtype: torch.dtype) -> Iterator[dict[str, object]]:
    """Yield milliseconds of each side, and how many times ours the others take."""
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
            if turn:  # the first warms up
                spent[name].append(1000 * (time.process_time() - begun))
    for name, times in spent.items():
        yield row(f"{name}, {rows // HEADS} of {length} tokens", "CPU ms", times)
    for name in ("plain", "fused"):
        ratios = [theirs / own for theirs, own in zip(spent[name], spent["ours"], strict=True)]
        yield row(f"{name} / ours, {length} tokens", "ratio", ratios)


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
    record["rows"] = rows = [line for length in LENGTHS for line in measured(length, chosen.rounds, dtype)]
    for line in rows:
        show(line)
    keep(record, "attention", chosen.out)


if __name__ == "__main__":
    main()
