"""From logits to tokens, with noise that has an address.

The noise of a row at a position is one uniform number, made from 64 bits that belong to the row alone and from the
position: a counter-based generator (SplitMix64, Steele, Lea and Flood 2014, whose output at a position needs no state).
The token is where that number falls in the cumulative distribution. So equal logits give equal tokens, whatever else
is in the batch and wherever it runs.

Floating point: the cumulative sum is in float64, so a token's share is off by less than 1e-12 whatever the size of
the vocabulary. Logits that differ by rounding (another batch shape) move the borders between tokens by as much, about
1e-6 in float32: once in a million tokens such a change picks the neighbour. Gumbel noise would fare no better, and
needs one number per entry of the vocabulary instead of one per row.

Shapes: N rows, V vocabulary, B blocks of X entries.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

import torch
from torch import Tensor
from torch.nn import functional as F

BLOCK = 64
"""Entries of the vocabulary that are summed at once."""
AT_ONCE = 1 << 20
"""Logits that are looked at together on a CPU, which passes over them some ten times: 4 MB stay in its cache."""
_GAMMA, _MIX_1, _MIX_2 = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def signed(bits: int) -> int:
    """Return the same 64 bits as torch's int64 holds them."""
    return bits - (1 << 64) if bits >= 1 << 63 else bits


def _shifted(z_N: Tensor, by: int) -> Tensor:
    """Return the bits shifted to the right, zeros following: torch's own shift drags the sign along."""
    return (z_N >> by) & ((1 << (64 - by)) - 1)


def uniforms(keys_N: Tensor, positions_N: Tensor) -> Tensor:
    """Return one number in (0, 1) per row, float64, from the row's 64 bits and the position in its completion.

    It never rounds to 0 or 1: 48 bits, and half a step in from both ends.
    """
    z = keys_N + (positions_N + 1) * signed(_GAMMA)  # int64 products wrap around, as they should
    z = (z ^ _shifted(z, 30)) * signed(_MIX_1)
    z = (z ^ _shifted(z, 27)) * signed(_MIX_2)
    z = z ^ _shifted(z, 31)
    return (_shifted(z, 16).double() + 0.5) * 2.0**-48


def _nucleus(mass_NV: Tensor, top_p: float) -> Tensor:
    """Return the mass of the fewest most probable tokens that together hold `top_p`; 0 elsewhere (Holtzman 2020)."""
    sorted_NV, order_NV = torch.sort(mass_NV.double(), dim=-1, descending=True, stable=True)
    before_NV = sorted_NV.cumsum(-1) - sorted_NV
    nucleus_NV = before_NV < top_p * sorted_NV.sum(-1, keepdim=True)
    return mass_NV * torch.zeros_like(nucleus_NV).scatter(-1, order_NV, nucleus_NV)


def _blocks(mass_NV: Tensor) -> Tensor:
    missing = -mass_NV.shape[-1] % BLOCK
    return (F.pad(mass_NV, (0, missing)) if missing else mass_NV).unflatten(-1, (-1, BLOCK))


def _first_above(mass_NX: Tensor, threshold_N: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first entry at which the running sum is above the threshold, and how much of that is left there.

    An entry without mass is never it, since the sum does not rise there.
    """
    sums_NX = mass_NX.cumsum(-1, dtype=torch.float64)
    index_N1 = torch.searchsorted(sums_NX, threshold_N[:, None], right=True).clamp_(max=mass_NX.shape[-1] - 1)
    before_N1 = F.pad(sums_NX, (1, 0)).gather(-1, index_N1)
    return index_N1[:, 0], threshold_N - before_N1[:, 0]


def sample_token(logits_NV: Tensor, uniform_N: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    """Return a token per row, and its log-probability: int64 and float64, both N.

    The log-probability (natural) is that of the model's own distribution at this temperature: before top-p, and for
    temperature 0, which takes the most probable token, at temperature 1. So it is what the learner computes from the
    same weights. Rows with logits that are not numbers get log-probabilities that are none, and any token.
    """
    rows = max(1, AT_ONCE // logits_NV.shape[-1])
    if logits_NV.device.type != "cpu" or len(logits_NV) <= rows:
        return _sample_token(logits_NV, uniform_N, temperature, top_p)
    firsts = range(0, len(logits_NV), rows)
    drawn = [_sample_token(logits_NV[n : n + rows], uniform_N[n : n + rows], temperature, top_p) for n in firsts]
    token, logprob = zip(*drawn, strict=True)
    return torch.cat(token), torch.cat(logprob)


def _sample_token(logits_NV: Tensor, uniform_N: Tensor, temperature: float, top_p: float) -> tuple[Tensor, Tensor]:
    x_NV = logits_NV.float()
    if temperature not in (0.0, 1.0):
        x_NV = x_NV / temperature
    top_N1 = x_NV.amax(-1, keepdim=True)
    mass_NV = (x_NV - top_N1).exp_()
    # Summed in blocks first, since a running sum over the whole vocabulary is slow: which block, then where in it.
    blocks_NBX = _blocks(mass_NV)
    sums_NB = blocks_NBX.sum(-1, dtype=torch.float64)
    total_N = sums_NB.sum(-1)
    if temperature == 0.0:
        token_N = x_NV.argmax(-1)
    else:
        if top_p < 1.0:
            blocks_NBX = _blocks(_nucleus(mass_NV, top_p))
            sums_NB = blocks_NBX.sum(-1, dtype=torch.float64)
        block_N, left_N = _first_above(sums_NB, uniform_N * sums_NB.sum(-1))
        inside_NX = blocks_NBX.gather(1, block_N[:, None, None].expand(-1, 1, BLOCK))[:, 0]
        token_N = block_N * BLOCK + _first_above(inside_NX, left_N)[0]
    token_N.clamp_(max=logits_NV.shape[-1] - 1)
    chosen_N = (x_NV.gather(-1, token_N[:, None]) - top_N1)[:, 0]
    return token_N, chosen_N.double() - total_N.log()
