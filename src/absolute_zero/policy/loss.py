"""What a sampled token costs: the clipped surrogate, entropy bonus and KL (paper section 3.3).

For a token with learner log-probability l, advantage A, and weight w, both of its sample:

    ratio     r = exp(l - old)                      old: l before the step's first update, detached
    mismatch  m = min(exp(old - sampler), cap)      detached; sampler: l as the sampler computed it
    surrogate s = min(r A, clip(r, 1 - low, 1 + high) A)
    term      t = -m s - entropy_coefficient * H + kl_coefficient * k
    loss        = sum(w t) / sum(w)                 over all tokens of the step

H is the entropy of the learner's distribution, and k estimates its divergence from the reference:
k = exp(ref - l) - 1 - (ref - l), unbiased and never negative (Schulman's k3, as in GRPO, arXiv 2402.03300).
The mismatch weighs the surrogate only: it corrects whose samples these are (truncated importance sampling, Yao et
al. 2025, "Your efficient RL framework secretly brings you off-policy RL training"); the others are the learner's own.

Everything is of the distribution at the sampling temperature. Pure functions on tensors; no model here.

Shapes: N tokens, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from absolute_zero.config import Update

CELLS = 1 << 21
"""Logits that are widened to float32 at once: 8 MiB a temporary."""


def _slices(rows: int, width: int) -> Iterator[slice]:
    step = max(1, CELLS // width)
    return (slice(first, first + step) for first in range(0, rows, step))


def _scaled(logits_NV: Tensor, temperature: float) -> Tensor:
    return logits_NV.float() if temperature == 1.0 else logits_NV.float() / temperature


def scores(logits_NV: Tensor, target_N: Tensor, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """Return log-probability of the targets, entropy, and the logarithm of the sum of exp(x): N each, float32."""
    normaliser_N = logits_NV.new_empty(len(logits_NV), dtype=torch.float32)
    entropy_N, chosen_N = torch.empty_like(normaliser_N), torch.empty_like(normaliser_N)
    for part in _slices(*logits_NV.shape):
        x = _scaled(logits_NV[part], temperature)
        top = x.amax(-1, keepdim=True)
        mass = (x - top).exp_()
        total = mass.sum(-1)
        normaliser_N[part] = top[:, 0] + total.log()
        entropy_N[part] = normaliser_N[part] - torch.linalg.vecdot(mass, x) / total
        chosen_N[part] = x.gather(-1, target_N[part, None])[:, 0]
    return chosen_N - normaliser_N, entropy_N, normaliser_N


def fill_gradient(
    out_NV: Tensor,
    logits_NV: Tensor,
    target_N: Tensor,
    normaliser_N: Tensor,
    entropy_N: Tensor,
    by_logprob_N: Tensor,
    by_entropy_N: Tensor,
    temperature: float,
) -> None:
    """Write the gradient of the logits, from those of log-probability and entropy; `out_NV` may be the logits."""
    by_logprob_N1, by_entropy_N1 = (grad[:, None] / temperature for grad in (by_logprob_N, by_entropy_N))
    level_N1 = -(by_logprob_N1 + by_entropy_N1 * entropy_N[:, None])
    for part in _slices(*logits_NV.shape):
        logp = _scaled(logits_NV[part], temperature) - normaliser_N[part, None]
        grad = torch.addcmul(level_N1[part], logp, by_entropy_N1[part], value=-1).mul_(logp.exp_())
        grad.scatter_add_(-1, target_N[part, None], by_logprob_N1[part])
        out_NV[part] = grad


class _LogprobsAndEntropy(torch.autograd.Function):
    """Log-probability of the targets and entropy, from logits of any precision.

    By hand, because automatic differentiation keeps half a dozen float32 copies of the logits, the largest tensor of a
    step. Kept are the logits as they came, and two numbers a row. With p = softmax(x) and x the scaled logits:
    d logprob / dx = onehot - p, and dH / dx = -p (log p + H).
    """

    @staticmethod
    def forward(ctx: Any, logits_NV: Tensor, target_N: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
        logprob_N, entropy_N, normaliser_N = scores(logits_NV, target_N, temperature)
        ctx.save_for_backward(logits_NV, target_N, normaliser_N, entropy_N)
        ctx.temperature = temperature
        return logprob_N, entropy_N

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        logits_NV, target_N, normaliser_N, entropy_N = ctx.saved_tensors
        by_logprob_N, by_entropy_N = grads
        grad_NV = torch.empty_like(logits_NV)
        fill_gradient(
            grad_NV, logits_NV, target_N, normaliser_N, entropy_N, by_logprob_N, by_entropy_N, ctx.temperature
        )
        return grad_NV, None, None


def logprobs_and_entropy(logits_NV: Tensor, target_N: Tensor, temperature: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return log-probability of each target, and entropy of its distribution, at a temperature.

    Both N, float32, in nats. Differentiable in the logits.
    """
    return _LogprobsAndEntropy.apply(logits_NV, target_N, temperature)  # type: ignore[return-value]


def per_token_loss(
    logprob_N: Tensor,
    entropy_N: Tensor,
    old_N: Tensor,
    sampler_N: Tensor,
    advantage_N: Tensor,
    settings: Update,
    reference_N: Tensor | None = None,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Return the term t of each token, differentiable in `logprob_N` and `entropy_N`, and the metrics of each token.

    Metrics, detached: `ratio`, `clipped` (1 where the clipping takes the gradient away), `mismatch` (before its cap),
    `entropy`, `kl` (with a reference).
    """
    ratio_N = (logprob_N - old_N).exp()
    bounded_N = ratio_N.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    surrogate_N = torch.minimum(ratio_N * advantage_N, bounded_N * advantage_N)
    mismatch_N = (old_N - sampler_N).exp()
    term_N = -mismatch_N.clamp(max=settings.mismatch_cap) * surrogate_N - settings.entropy * entropy_N
    clipped_N = (bounded_N * advantage_N < ratio_N * advantage_N).float()
    metrics = {"ratio": ratio_N, "clipped": clipped_N, "mismatch": mismatch_N, "entropy": entropy_N}
    if reference_N is not None:
        above_N = reference_N - logprob_N
        kl_N = above_N.exp() - 1 - above_N
        term_N = term_N + settings.kl * kl_N
        metrics["kl"] = kl_N
    return term_N, {name: value.detach() for name, value in metrics.items()}
