"""Head and loss in chunks of tokens, where the logits of a whole micro-batch would be its largest tensor by far.

2000 tokens by a vocabulary of 152 thousand are 1.2 GB of logits, as much again of their gradient, and a third with what
both come from. Here a chunk of tokens goes all the way: logits, log-probability and entropy, its part of the loss, and
back to the gradients of the hidden states and of the head, before the next one. This needs no logits twice: the loss
of a token is a function of its own log-probability and entropy. Promises: the numbers of `loss.logprobs_and_entropy` on
all logits, to rounding; logits are in the precision of the products and widened to float32; no gradient of a frozen
head is computed.

Shapes: M tokens, E hidden size, V vocabulary, R rank of the head's adapter.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from absolute_zero.policy.linear import Affine
from absolute_zero.policy.loss import fill_gradient, scores

CELLS = 1 << 25
"""Logits that are held at once: 128 MiB in float32."""

LossOf = Callable[[Tensor, Tensor, slice], Tensor]
"""(log-probability, entropy, which tokens) -> their part of the loss, differentiable in both."""


def _chunks(tokens: int, vocabulary: int) -> Iterator[slice]:
    size = max(8, CELLS // vocabulary // 8 * 8)
    return (slice(first, min(first + size, tokens)) for first in range(0, tokens, size))


class _HeadAndLoss(torch.autograd.Function):
    """The loss with the gradients of what it is made of, which the backward pass only hands on.

    With dx the gradient of a chunk's logits: dh = dx W + dt A (by automatic differentiation of t = s h A^T),
    dW = dx^T h, db = sum(dx), dB = dx^T t.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ME: Tensor,
        weight_VE: Tensor,
        bias_V: Tensor | None,
        low_MR: Tensor | None,
        b_VR: Tensor | None,
        target_M: Tensor,
        temperature: float,
        loss_of: LossOf,
    ) -> tuple[Tensor, Tensor, Tensor]:
        inputs = (hidden_ME, weight_VE, bias_V, low_MR, b_VR)
        needed = ctx.needs_input_grad[:5]
        grads = [
            torch.zeros_like(x) if x is not None and wanted else None for x, wanted in zip(inputs, needed, strict=True)
        ]
        dhidden, dweight, dbias, dlow, db = grads
        total = torch.zeros((), device=hidden_ME.device)
        logprob_M = torch.empty(len(target_M), device=hidden_ME.device)
        entropy_M = torch.empty_like(logprob_M)
        for part in _chunks(len(target_M), len(weight_VE)):
            logits = _logits(inputs, part)
            logprob_M[part], entropy_M[part], normaliser = scores(logits, target_M[part], temperature)
            with torch.enable_grad():
                leaves = logprob_M[part].clone().requires_grad_(), entropy_M[part].clone().requires_grad_()
                loss = loss_of(*leaves, part)
                by_logprob, by_entropy = torch.autograd.grad(loss, leaves, materialize_grads=True)
            total += loss.detach()
            fill_gradient(
                logits, logits, target_M[part], normaliser, entropy_M[part], by_logprob, by_entropy, temperature
            )
            if dhidden is not None:
                torch.mm(logits, weight_VE, out=dhidden[part])
            if dweight is not None:
                dweight.addmm_(logits.t(), hidden_ME[part])
            if dbias is not None:
                dbias += logits.sum(0)
            if dlow is not None and db is not None and low_MR is not None and b_VR is not None:
                torch.mm(logits, b_VR, out=dlow[part])
                db.addmm_(logits.t(), low_MR[part])
        ctx.grads = grads
        ctx.mark_non_differentiable(logprob_M, entropy_M)
        return total, logprob_M, entropy_M

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        grads, ctx.grads = ctx.grads, ()
        if not grads:
            raise RuntimeError("the gradients of head and loss can be had once")
        if (factor := float(outer[0])) != 1.0:
            grads = [None if grad is None else grad.mul_(factor) for grad in grads]
        return *grads, None, None, None


def _logits(inputs: tuple[Tensor | None, ...], part: slice) -> Tensor:
    hidden_ME, weight_VE, bias_V, low_MR, b_VR = inputs
    assert hidden_ME is not None
    assert weight_VE is not None
    logits = torch.nn.functional.linear(hidden_ME[part], weight_VE, bias_V)
    return logits if low_MR is None or b_VR is None else logits.addmm_(low_MR[part], b_VR.t())


def _parts(hidden_ME: Tensor, head: Affine) -> tuple[Tensor | None, ...]:
    """Return what the logits are made of: hidden states, weight, bias, and of the adapter s h A^T and B."""
    if head.adapter is None:
        return hidden_ME, head.weight, head.bias, None, None
    low_MR = (hidden_ME @ head.adapter.a_RE.t()) * head.adapter.scale
    return hidden_ME, head.weight, head.bias, low_MR, head.adapter.b_OR


def loss_in_chunks(
    hidden_ME: Tensor, head: Affine, target_M: Tensor, temperature: float, loss_of: LossOf
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the sum of `loss_of` over all tokens, differentiable once; and log-probability and entropy, M, detached.

    A token's loss must depend on no other token's log-probability and entropy.
    """
    parts = _parts(hidden_ME, head)
    return _HeadAndLoss.apply(*parts, target_M, temperature, loss_of)  # type: ignore[return-value]


@torch.no_grad()
def logprobs_in_chunks(hidden_ME: Tensor, head: Affine, target_M: Tensor, temperature: float) -> Tensor:
    """Return the log-probability of every target, M, float32, detached."""
    parts = _parts(hidden_ME, head)
    chunks = _chunks(len(target_M), len(head.weight))
    return torch.cat([scores(_logits(parts, part), target_M[part], temperature)[0] for part in chunks])
