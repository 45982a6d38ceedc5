"""Linear layers of our own forward: a weight, maybe with a low-rank adapter beside it, and the gated inner layer.

With an adapter of matrices A and B a layer is y = x W^T + b + s (x A^T) B^T (LoRA, arXiv 2106.09685). Promises: where W
is frozen its gradient is not computed, and the product B A, of the size of W, is not formed but to merge; the numbers
are those of automatic differentiation, to rounding, and without an adapter the same bits. Kept for the backward pass
is what the products need: of the inner layer the two tensors that the weights gave, not what they were made into.

Shapes: N tokens, E size of the input, O size of the output, R rank, F size of the inner layer.
"""
# pyright: reportUnknownMemberType=false

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


@final
@dataclass(frozen=True, slots=True)
class LowRank:
    """An adapter: what it adds to a weight is scale * B A."""

    a_RE: Tensor
    b_OR: Tensor
    scale: float

    def product(self) -> Tensor:
        """Return what is added to the weight, OE."""
        return (self.b_OR @ self.a_RE).mul_(self.scale)


class _Adapted(torch.autograd.Function):
    """y = x W^T + b + s (x A^T) B^T with W and b frozen, in place where automatic differentiation makes copies.

    With t = x A^T and dt = s dy B: dx = dy W + dt A, dA = dt^T x, dB = s dy^T t.
    """

    @staticmethod
    def forward(
        ctx: Any, x_NE: Tensor, weight: Tensor, bias: Tensor | None, a: Tensor, b: Tensor, scale: float
    ) -> Tensor:
        t_NR = x_NE @ a.t()
        ctx.save_for_backward(x_NE, t_NR, weight, a, b)
        ctx.scale = scale
        return F.linear(x_NE, weight, bias).addmm_(t_NR, b.t(), alpha=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        x_NE, t_NR, weight, a, b = ctx.saved_tensors
        dt_NR = (grads[0] @ b).mul_(ctx.scale)
        dx = (grads[0] @ weight).addmm_(dt_NR, a) if ctx.needs_input_grad[0] else None
        return dx, None, None, dt_NR.t() @ x_NE, (grads[0].t() @ t_NR).mul_(ctx.scale), None


@final
@dataclass(frozen=True, slots=True)
class Affine:
    """A linear layer's weight, in the precision of the products, its bias, and its adapter."""

    weight: Tensor
    bias: Tensor | None
    adapter: LowRank | None = None
    packed: Tensor | None = None
    """The weight once more, as `absolute_zero.policy.packing` lays it out; one row is faster without."""

    def __call__(self, x_NE: Tensor) -> Tensor:
        low = self.adapter
        if self.packed is not None and len(x_NE) > 1:
            return torch.ops.mkldnn._linear_pointwise(x_NE, self.packed, self.bias, "none", [], "")
        if low is None:
            return F.linear(x_NE, self.weight, self.bias)
        return _Adapted.apply(x_NE, self.weight, self.bias, low.a_RE, low.b_OR, low.scale)  # type: ignore

    def merged(self) -> "Affine":
        """Return the same layer with what its adapter adds in its weight."""
        if self.adapter is None:
            return self
        return Affine(self.adapter.product().add_(self.weight), self.bias)


class _GatedDown(torch.autograd.Function):
    """y = p W^T + b + s (p A^T) B^T with p = silu(g) u, made of g and u again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any,
        g_NF: Tensor,
        u_NF: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        a: Tensor | None,
        b: Tensor | None,
        scale: float,
    ) -> Tensor:
        ctx.save_for_backward(g_NF, u_NF, weight, a, b)
        ctx.scale = scale
        p_NF = F.silu(g_NF).mul_(u_NF)
        y_NO = F.linear(p_NF, weight, bias)
        return y_NO if a is None or b is None else y_NO.addmm_(p_NF @ a.t(), b.t(), alpha=scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        g_NF, u_NF, weight, a, b = ctx.saved_tensors
        dy_NO = grads[0]
        trains_weight, trains_bias, trains_adapter = (ctx.needs_input_grad[n] for n in (2, 3, 4))
        gate_NF = F.silu(g_NF)
        dp_NF = dy_NO @ weight
        dweight = dbias = da = db = None
        if trains_weight or trains_adapter:
            p_NF = gate_NF * u_NF
            dweight = dy_NO.t() @ p_NF if trains_weight else None
            if trains_adapter:
                dt_NR = (dy_NO @ b).mul_(ctx.scale)
                dp_NF.addmm_(dt_NR, a)
                da, db = dt_NR.t() @ p_NF, (dy_NO.t() @ (p_NF @ a.t())).mul_(ctx.scale)
        if trains_bias:
            dbias = dy_NO.sum(0)
        du_NF = gate_NF.mul_(dp_NF)
        dg_NF = torch.ops.aten.silu_backward(dp_NF.mul_(u_NF), g_NF)
        return dg_NF, du_NF, dweight, dbias, da, db, None


def gated_down(act: Callable[[Tensor], Tensor], g_NF: Tensor, u_NF: Tensor, down: Affine) -> Tensor:
    """Return down(act(g) u), NO; differentiable in all of it."""
    if down.packed is not None or (not isinstance(act, nn.SiLU) and type(act).__name__ != "SiLUActivation"):
        return down(act(g_NF) * u_NF)
    low = down.adapter
    a, b, scale = (None, None, 0.0) if low is None else (low.a_RE, low.b_OR, low.scale)
    return _GatedDown.apply(g_NF, u_NF, down.weight, down.bias, a, b, scale)  # type: ignore[return-value]
