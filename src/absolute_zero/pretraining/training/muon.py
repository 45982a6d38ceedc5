"""Muon (Jordan et al., 2024): momentum of a matrix, with all its singular values brought near 1.

The numbers of `torch.optim.Muon`, but in the precision that the products of the run have. That one's are in bfloat16
always, which a CPU without such instructions emulates, in three to four times the time (docs/log.md).
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterable
from typing import Any, Final

import torch
from torch import Tensor

MOMENTUM: Final = 0.95
COEFFICIENTS: Final = (3.4445, -4.775, 2.0315)
"""Of the odd polynomial of degree 5 that is applied; steepest at 0, so that small singular values grow fast."""
ITERATIONS: Final = 5


class Muon(torch.optim.Optimizer):
    """For matrices alone, with Nesterov momentum. A rate is for square ones: tall ones move sqrt(rows / columns) as
    far."""

    def __init__(self, weights: Iterable[Tensor], lr: float, weight_decay: float, dtype: torch.dtype) -> None:
        super().__init__(weights, {"lr": lr, "weight_decay": weight_decay})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            rate, decay = group["lr"], group["weight_decay"]
            for weight in (weight for weight in group["params"] if weight.grad is not None):
                state = self.state[weight]
                if not state:
                    state["momentum_buffer"] = torch.zeros_like(weight)
                moved = state["momentum_buffer"].lerp_(weight.grad, 1 - MOMENTUM)
                update = orthogonal(weight.grad.lerp(moved, MOMENTUM), self.dtype)
                far = max(1.0, weight.shape[0] / weight.shape[1]) ** 0.5
                weight.mul_(1 - rate * decay).add_(update, alpha=-rate * far)


def orthogonal(matrix: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the matrix with singular values from 0.5 to 1.5 or so instead of its own, by Newton and Schulz.

    Products are in `dtype`, and so is the result.
    """
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T.to(dtype) if tall else matrix.to(dtype)
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
