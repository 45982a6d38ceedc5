"""The loss, by hand: three tokens and a rule at a time; log-probabilities against automatic differentiation."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from absolute_zero.config import Update
from absolute_zero.policy import loss
from absolute_zero.policy.batches import Item
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.loss import logprobs_and_entropy, per_token_loss


def wide(values: list[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def term(
    logprob: list[float], old: list[float], advantage: list[float], *, sampler: list[float] | None = None, **more: Any
) -> tuple[list[float], list[float], dict[str, list[float]]]:
    """Return the terms, their gradients in the log-probabilities, and the metrics of each token.

    `H` are entropies, `ref` reference log-probabilities; the rest are settings.
    """
    chosen = wide(logprob).requires_grad_()
    entropy, reference = wide(more.pop("H", [0.0] * 3)), more.pop("ref", None)
    settings = Update(**{"entropy": 0.0, **more})
    terms, metrics = per_token_loss(
        chosen, entropy, wide(old), wide(sampler or old), wide(advantage), settings, reference and wide(reference)
    )
    terms.sum().backward()
    assert chosen.grad is not None
    return terms.tolist(), chosen.grad.tolist(), {name: value.tolist() for name, value in metrics.items()}


def near(*values: float) -> object:
    return pytest.approx(list(values), rel=1e-12, abs=1e-12)


def test_on_the_first_update_it_is_the_policy_gradient() -> None:
    # r = exp(0) = 1 in every case, so t = -A, and dt/dl = -A r = -A.
    terms, grad, metrics = term([-0.5, -1.0, -2.0], [-0.5, -1.0, -2.0], [2.0, -1.0, 0.0])
    assert terms == [-2.0, 1.0, 0.0]
    assert grad == [-2.0, 1.0, 0.0]
    assert metrics["ratio"] == [1.0, 1.0, 1.0]
    assert metrics["clipped"] == [0.0, 0.0, 0.0]


def test_clipping_has_two_bounds_and_only_ever_holds_back() -> None:
    # Ratios 1.5, 0.5, 1.5 with bounds 1 - 0.2 and 1 + 0.3:
    #   A = +2, r = 1.5: min(3.0, 1.3 * 2 = 2.6) = 2.6, clipped: t = -2.6, no gradient.
    #   A = -1, r = 0.5: min(-0.5, 0.8 * -1 = -0.8) = -0.8, clipped: t = 0.8, no gradient.
    #   A = -1, r = 1.5: min(-1.5, 1.3 * -1 = -1.3) = -1.5, not clipped, since it has yet to become less likely:
    #     t = 1.5, and dt/dl = -A r = 1.5.
    ratios = [math.log(1.5), math.log(0.5), math.log(1.5)]
    terms, grad, metrics = term(ratios, [0.0, 0.0, 0.0], [2.0, -1.0, -1.0], clip_low=0.2, clip_high=0.3)
    assert terms == near(-2.6, 0.8, 1.5)
    assert grad == near(0.0, 0.0, 1.5)
    assert metrics["clipped"] == [1.0, 1.0, 0.0]


def test_the_mismatch_weighs_the_surrogate_up_to_its_cap() -> None:
    # old / sampler = 0.5, 1.5, 4.0, capped at 2. With r = 1 and A = 1: t = -m = -0.5, -1.5, -2.
    old = [-1.0, -1.0, -1.0]
    sampler = [-1.0 - math.log(m) for m in (0.5, 1.5, 4.0)]
    terms, grad, metrics = term(old, old, [1.0, 1.0, 1.0], sampler=sampler, mismatch_cap=2.0)
    assert terms == near(-0.5, -1.5, -2.0)
    assert grad == near(-0.5, -1.5, -2.0)  # m is detached: it has no gradient of its own
    assert metrics["mismatch"] == near(0.5, 1.5, 4.0)  # the metric has no cap
    assert metrics["ratio"] == [1.0, 1.0, 1.0]  # and the sampler is never in the ratio


def test_entropy_is_a_bonus_whatever_the_mismatch() -> None:
    # m = exp(0 - log 2) = 0.5, A = 2: t = -m A - 0.1 H = -1 - 0.1 * (3, 2, 0).
    terms, _, _ = term([0.0] * 3, [0.0] * 3, [2.0] * 3, sampler=[math.log(2.0)] * 3, H=[3.0, 2.0, 0.0], entropy=0.1)
    assert terms == near(-1.3, -1.2, -1.0)


def test_kl_is_never_negative_and_pulls_towards_the_reference() -> None:
    # d = ref - l = log 2, 0, -log 2: k = exp(d) - 1 - d = 1 - log 2, 0, log 2 - 1/2; dk/dl = 1 - exp(d) = -1, 0, 1/2.
    # With A = 0 and coefficient 0.5: t = k / 2, and its gradient is half of dk/dl.
    log2 = math.log(2.0)
    terms, grad, metrics = term([-1.0] * 3, [-1.0] * 3, [0.0] * 3, ref=[-1 + log2, -1.0, -1 - log2], kl=0.5)
    assert metrics["kl"] == near(1 - log2, 0.0, log2 - 0.5)
    assert terms == near((1 - log2) / 2, 0.0, (log2 - 0.5) / 2)
    assert grad == near(-0.5, 0.0, 0.25)


class Three(torch.nn.Module):
    """A model of one token that knows the probabilities of three by heart: p = 1/2, 1/4, 1/4 wherever it is."""

    config = type("Config", (), {"max_position_embeddings": None, "_attn_implementation": "eager"})()

    def __init__(self) -> None:
        super().__init__()
        self.logits = torch.nn.Parameter(torch.tensor([math.log(0.5), math.log(0.25), math.log(0.25)]))

    def forward(self, input_ids: Tensor, attention_mask: Tensor, use_cache: bool) -> Any:
        rows, length = input_ids.shape
        return type("Out", (), {"logits": self.logits.expand(rows, length, 3)})()


def test_the_loss_of_a_step_weighs_samples_and_counts_tokens() -> None:
    # Two samples: tokens (0, 1) with A = 1, w = 1; token (2) with A = -3, w = 0.5. sum(w T) = 1 * 2 + 0.5 * 1 = 2.5.
    # All samplers agree with the learner, so m = r = 1: terms -1, -1, +3; loss = (-1 - 1 + 0.5 * 3) / 2.5 = -0.2.
    # d term / d logit = -A (onehot - p), with p = (0.5, 0.25, 0.25):
    #   token 0, A = 1: -(1 - 0.5, -0.25, -0.25) = (-0.5, 0.25, 0.25)
    #   token 1, A = 1: (0.5, -0.75, 0.25)
    #   token 2, A = -3: 3 * (-0.5, -0.25, 0.75) = (-1.5, -0.75, 2.25), times w: (-0.75, -0.375, 1.125)
    #   sum: (-0.75, -0.875, 1.625), over 2.5: (-0.3, -0.35, 0.65); its norm is sqrt(0.09 + 0.1225 + 0.4225).
    half, quarter = math.log(0.5), math.log(0.25)
    items = [
        Item((0, 0), (0, 1), (half, quarter), advantage=1.0, weight=1.0),
        Item((0,), (2,), (quarter,), advantage=-3.0, weight=0.5),
    ]
    model = Three()
    learner = Learner(model, Update(entropy=0.0, learning_rate=0.0), torch.float32)
    measured = learner.update(items)
    assert measured["loss"] == pytest.approx(-0.2, abs=1e-6)
    assert measured["grad_norm"] == pytest.approx(math.sqrt(0.635), abs=1e-6)
    assert measured["update/tokens"] == 3
    assert measured["ratio/max"] == 1.0
    # H = 0.5 log 2 + 2 * 0.25 log 4 = 1.5 log 2.
    assert measured["entropy"] == pytest.approx(1.5 * math.log(2.0), abs=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
@pytest.mark.parametrize("cells", [1 << 21, 20])
def test_logprobs_entropy_and_their_gradients(temperature: float, cells: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against automatic differentiation in float64, in one slice and in several."""
    monkeypatch.setattr(loss, "CELLS", cells)
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 9, generator=noise) * 3
    target = torch.tensor([0, 8, 3, 3, 1, 5, 7])
    by_logprob, by_entropy = torch.randn(7, generator=noise), torch.randn(7, generator=noise)

    ours = logits.clone().requires_grad_()
    logprob, entropy = logprobs_and_entropy(ours, target, temperature)
    (logprob * by_logprob + entropy * by_entropy).sum().backward()

    theirs = logits.double().requires_grad_()
    every = (theirs / temperature).log_softmax(-1)
    expected = every.gather(-1, target[:, None])[:, 0], -(every.exp() * every).sum(-1)
    (expected[0] * by_logprob + expected[1] * by_entropy).sum().backward()

    torch.testing.assert_close(logprob.double(), expected[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(entropy.double(), expected[1], rtol=0, atol=1e-5)
    assert ours.grad is not None
    assert theirs.grad is not None
    torch.testing.assert_close(ours.grad.double(), theirs.grad, rtol=0, atol=1e-5)
