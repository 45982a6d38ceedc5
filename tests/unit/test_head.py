"""Head and loss in chunks: the numbers of all logits at once, whatever the head trains."""

import pytest
import torch
from torch import Tensor

from absolute_zero.policy import head
from absolute_zero.policy.linear import Affine, LowRank

TOKENS, SIZE, VOCABULARY, RANK = 37, 6, 50, 2


def loss_of(logprob: Tensor, entropy: Tensor, part: slice) -> Tensor:
    """A loss of each token by itself that is linear in neither of both."""
    weight = torch.arange(1.0, TOKENS + 1)[part]
    return (weight * (logprob.exp() - 0.3 * entropy.square())).sum() / 7


def drawn(dtype: torch.dtype = torch.float32) -> dict[str, Tensor]:
    noise = torch.Generator().manual_seed(0)
    shapes = {"hidden": (TOKENS, SIZE), "weight": (VOCABULARY, SIZE), "bias": (VOCABULARY,)}
    shapes |= {"a": (RANK, SIZE), "b": (VOCABULARY, RANK)}
    return {name: torch.randn(shape, generator=noise).to(dtype).requires_grad_() for name, shape in shapes.items()}


def layer(parts: dict[str, Tensor], kind: str) -> Affine:
    bias = parts["bias"] if kind != "plain" else None
    return Affine(parts["weight"], bias, LowRank(parts["a"], parts["b"], 1.5) if kind == "adapted" else None)


@pytest.mark.parametrize("kind", ["plain", "biased", "adapted"])
@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_the_numbers_are_those_of_all_logits_at_once(
    kind: str, temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(head, "CELLS", 8 * VOCABULARY)  # five chunks: 8, 8, 8, 8, 5
    target = torch.arange(TOKENS) * 7 % VOCABULARY
    trained = {"plain": ("hidden", "weight"), "biased": ("hidden", "weight", "bias"), "adapted": ("hidden", "a", "b")}

    ours = drawn()
    if kind == "adapted":  # the base is frozen
        for name in ("weight", "bias"):
            ours[name].requires_grad_(False)
    loss, logprob, entropy = head.loss_in_chunks(ours["hidden"], layer(ours, kind), target, temperature, loss_of)
    (3 * loss).backward()

    theirs = {name: value.detach().double().requires_grad_() for name, value in drawn().items()}
    weight = theirs["weight"]
    if kind == "adapted":
        weight = weight + 1.5 * theirs["b"] @ theirs["a"]
    logits = theirs["hidden"] @ weight.T + (theirs["bias"] if kind != "plain" else 0)
    every = (logits / temperature).log_softmax(-1)
    exact = every.gather(-1, target[:, None])[:, 0], -(every.exp() * every).sum(-1)
    expected = loss_of(*exact, slice(TOKENS))
    (3 * expected).backward()

    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    torch.testing.assert_close(logprob.double(), exact[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(entropy.double(), exact[1], rtol=0, atol=1e-5)
    for name in trained[kind]:
        got, wanted = ours[name].grad, theirs[name].grad
        assert got is not None
        assert wanted is not None
        assert ((got - wanted).norm() / wanted.norm()).item() < 1e-5, name
    for name in set(ours) - set(trained[kind]):
        assert ours[name].grad is None, name
    values = head.logprobs_in_chunks(ours["hidden"], layer(ours, kind), target, temperature)
    assert torch.equal(values, logprob)


def test_no_tensor_of_all_logits_is_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head, "CELLS", 8 * VOCABULARY)
    largest = 0
    linear = torch.nn.functional.linear

    def seen(*arguments: Tensor) -> Tensor:
        nonlocal largest
        out = linear(*arguments)
        largest = max(largest, out.numel())
        return out

    monkeypatch.setattr(torch.nn.functional, "linear", seen)
    parts = drawn()
    target = torch.zeros(TOKENS, dtype=torch.int64)
    head.loss_in_chunks(parts["hidden"], layer(parts, "plain"), target, 1.0, loss_of)[0].backward()
    assert largest == 8 * VOCABULARY
