"""From logits to tokens, with noise that has an address.

The noise of a row at a position is one uniform number, made from 64 bits that belong to the row alone and from the
position: a counter-based generator (SplitMix64, Steele, Lea and Flood 2014, whose output at a position needs no state).
The token is where that number falls in the cumulative distribution. So equal logits give equal tokens, whatever else
is in the batch and wherever it runs.

Floating point: the cumulative sum is in float64, so a token's share is off by less than 1e-12 whatever the size of
the vocabulary. Logits that differ by rounding (another batch shape) move the borders between tokens by as much, about
1e-6 in float32: once in a million tokens such a change picks the neighbour. Gumbel noise would fare no better, and
needs one number per entry of the vocabulary instead of one per row.

Shapes: N rows, V vocabulary.
"""

import torch
from torch import Tensor

_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def signed(bits: int) -> int:
    """The same 64 bits as torch's int64 holds them."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits


def _shifted(z_N: Tensor, by: int) -> Tensor:
    """Logical shift to the right: torch's own drags the sign along."""
    return (z_N >> by) & ((1 << (64 - by)) - 1)


def uniforms(keys_N: Tensor, positions_N: Tensor) -> Tensor:
    """One number in (0, 1) per row, float64, from the row's 64 bits and the position in its completion.

    It never rounds to 0 or 1: 48 bits, and half a step in from both ends.
    """
    z = keys_N + (positions_N + 1) * signed(_GAMMA)  # int64 products wrap around, as they should
    z = (z ^ _shifted(z, 30)) * signed(_MIX_1)
    z = (z ^ _shifted(z, 27)) * signed(_MIX_2)
    z = z ^ _shifted(z, 31)
    return (_shifted(z, 16).double() + 0.5) * 2.0**-48


def _nucleus(mass_NV: Tensor, top_p: float) -> Tensor:
    """The mass of the fewest most probable tokens that together hold `top_p` of it; 0 elsewhere (Holtzman 2020)."""
    sorted_NV, order_NV = mass_NV.double().sort(-1, descending=True, stable=True)
    before_NV = sorted_NV.cumsum(-1) - sorted_NV
    kept_NV = before_NV < top_p * sorted_NV.sum(-1, keepdim=True)
    return mass_NV * torch.zeros_like(kept_NV).scatter(-1, order_NV, kept_NV)


def pick(logits_NV: Tensor, uniform_N: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """A token per row, and its log-probability: int64 and float64, both N.

    The log-probability (natural) is that of the model's own distribution at this temperature: before top-p, and for
    temperature 0, which takes the most probable token, at temperature 1. So it is what the learner computes from the
    same weights. Rows with logits that are not numbers get log-probabilities that are none, and some token.
    """
    x_NV = logits_NV.float()
    if temperature not in (0.0, 1.0):
        x_NV = x_NV / temperature
    top_N, best_N = x_NV.max(-1)
    mass_NV = (x_NV - top_N[:, None]).exp_()
    sums_NV = mass_NV.cumsum(-1, dtype=torch.float64)
    total_N = sums_NV[:, -1]
    if temperature == 0.0:
        token_N = best_N
    else:
        if top_p < 1.0:
            sums_NV = _nucleus(mass_NV, top_p).cumsum(-1, dtype=torch.float64)
        # The first entry above the mark: one without mass is never it, since the sum does not rise there.
        mark_N1 = (uniform_N * sums_NV[:, -1])[:, None]
        token_N = torch.searchsorted(sums_NV, mark_N1, right=True)[:, 0].clamp_(max=logits_NV.shape[-1] - 1)
    chosen_N = x_NV.gather(-1, token_N[:, None])[:, 0]
    return token_N, (chosen_N - top_N).double() - total_N.log()

