"""Linear layers with adapters: the chain rule, by hand and against automatic differentiation."""

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from absolute_zero.policy.linear import Affine, LowRank, gated_down

TOKENS, SIZE, OUT, RANK, SCALE = 9, 5, 7, 3, 1.7


def drawn(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_an_adapter_has_the_gradient_of_the_whole_weight_by_the_chain_rule() -> None:
    """With W' = W + s B A: dA = s B^T dW', and dB = s dW' A^T."""
    x, a, b, weight = drawn(TOKENS, SIZE), drawn(RANK, SIZE), drawn(OUT, RANK), drawn(OUT, SIZE).detach()
    dy = torch.randn(TOKENS, OUT, dtype=torch.float64)
    Affine(weight, None, LowRank(a, b, SCALE))(x).backward(dy)
    whole = (weight + SCALE * b @ a).detach().requires_grad_()
    [dwhole, dx] = torch.autograd.grad(x.detach().requires_grad_() @ whole.T, [whole], dy)[0], dy @ whole
    torch.testing.assert_close(a.grad, (SCALE * b.T @ dwhole).detach())
    torch.testing.assert_close(b.grad, (SCALE * dwhole @ a.T).detach())
    torch.testing.assert_close(x.grad, dx.detach())


@pytest.mark.parametrize("bias", [False, True])
def test_merged_is_unmerged(bias: bool) -> None:
    x, a, b, weight = drawn(TOKENS, SIZE), drawn(RANK, SIZE), drawn(OUT, RANK), drawn(OUT, SIZE)
    beside = Affine(weight, drawn(OUT) if bias else None, LowRank(a, b, SCALE))
    merged = beside.merged()
    assert merged.adapter is None
    torch.testing.assert_close(merged(x), beside(x))
    assert not torch.allclose(Affine(weight, beside.bias)(x), beside(x))


def test_of_a_frozen_weight_no_gradient_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    x, a, b = drawn(TOKENS, SIZE), drawn(RANK, SIZE), drawn(OUT, RANK)
    weight = drawn(OUT, SIZE).detach()
    shapes: list[torch.Size] = []
    product = torch.Tensor.__matmul__

    def seen(first: Tensor, second: Tensor) -> Tensor:
        out = product(first, second)
        shapes.append(out.shape)
        return out

    monkeypatch.setattr(torch.Tensor, "__matmul__", seen)
    Affine(weight, None, LowRank(a, b, SCALE))(x).sum().backward()
    assert shapes
    assert weight.shape not in shapes


@pytest.mark.parametrize("kind", ["full", "adapted", "frozen"])
def test_the_inner_layer_has_the_gradients_of_automatic_differentiation(kind: str) -> None:
    g, u = drawn(TOKENS, SIZE), drawn(TOKENS, SIZE)
    weight, bias, a, b = drawn(OUT, SIZE), drawn(OUT), drawn(RANK, SIZE), drawn(OUT, RANK)
    if kind != "full":
        weight, bias = weight.detach(), bias.detach()
    down = Affine(weight, bias, LowRank(a, b, SCALE) if kind == "adapted" else None)
    plain = nn.functional.silu(g) * u @ (weight + SCALE * b @ a if kind == "adapted" else weight).T + bias
    torch.testing.assert_close(gated_down(nn.SiLU(), g, u, down), plain)
    inputs = {"full": (g, u, weight, bias), "adapted": (g, u, a, b), "frozen": (g, u)}[kind]
    torch.manual_seed(1)
    dy = torch.randn_like(plain)
    got = torch.autograd.grad(gated_down(nn.SiLU(), g, u, down), inputs, dy)
    for ours, theirs in zip(got, torch.autograd.grad(plain, inputs, dy), strict=True):
        torch.testing.assert_close(ours, theirs)
    assert gradcheck(lambda *_: gated_down(nn.SiLU(), g, u, down), inputs, fast_mode=True)


def test_another_activation_goes_the_plain_way() -> None:
    g, u, down = drawn(TOKENS, SIZE), drawn(TOKENS, SIZE), Affine(drawn(OUT, SIZE), None)
    assert torch.equal(gated_down(torch.tanh, g, u, down), down(g.tanh() * u))
