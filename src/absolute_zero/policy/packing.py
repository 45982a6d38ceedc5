"""Weights laid out anew for sampling on a CPU: the same products, without their cost of fetching a large matrix.

MKL copies the matrix of weights in pieces for every product, which few rows do not make up for: of 4,864 x 896 it
reaches 8, 24 and 33 billion operations a second with 8, 33 and 95 rows on one AVX2 processor, oneDNN on a matrix in
its own order 16, 42 and 54 (of 151,936 x 896: 7, 18 and 37 against 17, 42 and 56). Packing costs some 3 ns a weight.

Promises: the numbers of the plain products, to rounding. Does not pack what would take too much of the machine's
memory, since the weights stay as they are beside it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import platform
from dataclasses import replace

import torch

from absolute_zero.machine import memory
from absolute_zero.policy.linear import Affine
from absolute_zero.policy.transformer import Weights

MEMORY_SHARE = 4
"""Weights are packed where they are at most one part in so many of the machine's memory."""


def packable(weights: Weights) -> bool:
    """Return whether these weights can be packed here, and may."""
    matrices = [m.weight for layer in weights.layers for m in (layer.qkv, layer.out, layer.gate, layer.up, layer.down)]
    matrices.append(weights.head.weight)
    return (
        weights.dtype == torch.float32
        and all(matrix.device.type == "cpu" for matrix in matrices)
        and platform.machine() in ("x86_64", "AMD64")
        and torch.backends.mkldnn.is_available()
        and sum(matrix.numel() * matrix.itemsize for matrix in matrices) * MEMORY_SHARE <= memory()
    )


def packed(weights: Weights) -> Weights:
    """Return the weights with their matrices packed. Only for where no gradients are wanted."""

    def pack(affine: Affine) -> Affine:
        return replace(affine, packed=torch.ops.mkldnn._reorder_linear_weight(affine.weight, None))

    names = ("qkv", "out", "gate", "up", "down")
    layers = tuple(replace(layer, **{name: pack(getattr(layer, name)) for name in names}) for layer in weights.layers)
    return replace(weights, layers=layers, head=pack(weights.head))
