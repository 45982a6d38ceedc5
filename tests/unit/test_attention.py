"""The learner's attention: a product in blocks, and tokens that go into a grid and back."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from absolute_zero.policy import attention as module
from absolute_zero.policy.attention import HeadIndex, attention, bias, future

HEADS, GROUP, SIZE = 2, 3, 4


def plain(q: Tensor, k: Tensor, v: Tensor, bias_P1UX: Tensor) -> Tensor:
    """Return what `attention` promises, row by row and head by head, with one product each."""
    rows = len(q) // HEADS  # of a grid, under each key/value head
    out = torch.empty_like(q)
    for pair in range(len(q)):
        added = bias_P1UX[pair % rows * len(bias_P1UX) // rows, 0]
        for head in range(q.shape[1]):
            out[pair, head] = (q[pair, head] @ k[pair].T + added).softmax(-1) @ v[pair]
    return out


def drawn(rows: int, queries: int, before: int) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(queries)
    sizes = (HEADS * rows, GROUP, queries, SIZE), *[(HEADS * rows, before + queries, SIZE)] * 2
    q, k, v = (torch.randn(size, dtype=torch.float64, requires_grad=True) for size in sizes)
    return q, k, v


def masks(prompts: int, queries: int, before: int) -> Tensor:
    """Tokens before that are padding in all prompts but the first, and the future."""
    hidden = torch.zeros(prompts, queries, before + queries, dtype=torch.bool)
    hidden[:, :, before:] = future(queries, torch.device("cpu"))
    hidden[1:, :, before // 2 : before] = True
    return bias(hidden, torch.float64)[:, None]


def results(function: Callable[[], Tensor], *inputs: Tensor) -> tuple[Tensor, ...]:
    out = function()
    torch.manual_seed(0)
    return out.detach(), *torch.autograd.grad(out, inputs, torch.randn(out.shape, dtype=torch.float64).to(out))


@pytest.mark.parametrize("queries", [1, 8, 95, 97, 200, 300])
@pytest.mark.parametrize(("prompts", "n", "before"), [(1, 1, 0), (1, 4, 0), (3, 2, 6)])
def test_it_is_a_plain_product_and_so_are_its_gradients(queries: int, prompts: int, n: int, before: int) -> None:
    rows = prompts * n
    inputs = drawn(rows, queries, before)
    bias_P1UX = masks(prompts, queries, before)
    got = results(lambda: attention(*inputs, bias_P1UX, HEADS), *inputs)
    expected = results(lambda: plain(*inputs, bias_P1UX), *inputs)
    for ours, theirs in zip(got, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_its_gradients_are_those_of_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    inputs = drawn(2, 27, 3)
    bias_P1UX = masks(2, 27, 3)
    assert gradcheck(lambda q, k, v: attention(q, k, v, bias_P1UX, HEADS), inputs, fast_mode=True)


def test_there_is_no_gradient_of_its_gradient() -> None:
    q, k, v = drawn(1, 3, 0)
    [grad] = torch.autograd.grad(attention(q, k, v, masks(1, 3, 0), HEADS).square().sum(), [q], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_in_bfloat16_it_is_as_near_as_a_product_of_that_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 64)  # five blocks
    inputs = drawn(2, 300, 0)
    exact = results(lambda: plain(*inputs, masks(1, 300, 0)), *inputs)
    q, k, v = (each.detach().bfloat16().requires_grad_() for each in inputs)
    got = results(lambda: attention(q, k, v, masks(1, 300, 0).bfloat16(), HEADS), q, k, v)
    for ours, right in zip(got, exact, strict=True):
        assert float((ours - right).norm() / right.norm()) < 0.01  # 2.5 roundings of 2 ** -8


def test_a_block_takes_no_key_that_none_of_its_queries_may_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 8)
    q, k, v = drawn(1, 24, 5)
    bias_P1UX = masks(1, 24, 5)
    expected = attention(q, k, v, bias_P1UX, HEADS)
    with torch.no_grad():
        k[:, 5 + 8 :], v[:, 5 + 8 :] = torch.nan, torch.nan  # what comes after the first block
    got = attention(q, k, v, bias_P1UX, HEADS)
    assert torch.equal(got[:, :, :8], expected[:, :, :8])
    assert got[:, :, 8:].isnan().all()


def test_heads_go_into_a_grid_and_back_by_hand() -> None:
    # Three tokens and a row of padding; two grids: a row of two cells (tokens 0, 1) and a row of two (2, nothing).
    layout = HeadIndex([torch.tensor([[0, 1]]), torch.tensor([[2, 3]])], real=3, flat=4, heads=2, group=1)
    x = torch.arange(8.0).view(4, 2, 1).requires_grad_()  # token t, head h is 2 t + h
    rows = layout.in_grids(x)
    assert rows.flatten().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]  # a grid, a head, the cells
    rows.backward(torch.tensor([[1.0], [2], [3], [4], [5], [9], [6], [9]]))
    assert x.grad is not None
    assert x.grad.flatten().tolist() == [1, 3, 2, 4, 5, 6, 0, 0]  # nothing reaches the padding

    seen = torch.tensor([[10.0], [20], [30], [40], [50], [99], [60], [99]], requires_grad=True)
    back = layout.in_list(seen)
    assert back.flatten().tolist() == [10, 30, 20, 40, 50, 60, 0, 0]
    back.backward(torch.tensor([1.0, 2, 3, 4, 5, 6, 0, 0]).view(4, 2, 1))  # nobody looks at padding
    assert seen.grad is not None
    assert seen.grad.flatten().tolist() == [1, 3, 2, 4, 5, 0, 6, 0]
