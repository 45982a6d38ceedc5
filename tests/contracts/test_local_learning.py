"""What the local policy learns: transformers' gradients, however they are batched, and when it learns nothing."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

import tiny_models
from absolute_zero.keys import Key
from absolute_zero.policy import hardware, head, shared
from absolute_zero.policy.batches import Item
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.local import LocalPolicy
from absolute_zero.types import Prompt, Sample, Sampling, UserError
from local_policies import apart, config, plain_loss, policy, samples_of

EVERY = pytest.mark.parametrize("name", tiny_models.CONFIGS)


def gradient(
    monkeypatch: pytest.MonkeyPatch, local: LocalPolicy, samples: list[Sample]
) -> tuple[float, torch.Tensor, float]:
    """Return loss, gradient (before clipping, as one vector) and largest ratio of an update that is left out."""
    gradients: list[torch.Tensor] = []

    def instead(*_: object, **__: object) -> None:
        gradients.append(torch.cat([p.grad.flatten() for p in local.model.parameters() if p.grad is not None]))

    monkeypatch.setattr(local.learner.optimizer, "step", instead)
    metrics = local.update(samples)
    return metrics["loss"], gradients[0], metrics["ratio/max"]


def plain_gradient(local: LocalPolicy, samples: list[Sample]) -> tuple[float, torch.Tensor]:
    """Return loss and gradient from their definition, by transformers' forward on each sequence and autograd."""
    local.model.zero_grad()
    loss = plain_loss(local, samples)
    loss.backward()
    return loss.item(), torch.cat([p.grad.flatten() for p in local.model.parameters()])


@EVERY
@pytest.mark.parametrize("checkpoint", [False, True])
def test_loss_and_gradient_are_those_of_transformers(
    name: str, checkpoint: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = {"entropy": 0.1, "grad_clip": 1e9, "checkpoint_activations": checkpoint}
    local = policy(name, update=update)
    samples = samples_of(local)
    assert samples == samples_of(policy(name))
    loss, grad, ratio = gradient(monkeypatch, local, samples)
    expected_loss, expected = plain_gradient(local, samples)
    assert loss == pytest.approx(expected_loss, rel=1e-6, abs=1e-6)
    assert apart(grad, expected) < 3e-6
    assert ratio == 1.0


def test_samples_without_a_gradient_count_and_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = {"entropy": 0.0, "grad_clip": 1e9}
    local = policy(update=plain)
    samples = [replace(s, advantage=s.advantage * (index % 2)) for index, s in enumerate(samples_of(local))]
    loss, grad, _ = gradient(monkeypatch, local, samples)
    expected_loss, expected = plain_gradient(local, samples)
    assert loss == pytest.approx(expected_loss, rel=1e-6, abs=1e-6)
    assert apart(grad, expected) < 3e-6
    half = sum(len(s.completion.tokens) for s in samples[1::2])
    assert local.update(samples)["update/tokens"] == half
    assert policy(update={**plain, "entropy": 0.1}).update(samples)["update/tokens"] > half
    assert policy(update={**plain, "kl": 0.1}).update(samples)["update/tokens"] > half
    assert local.update(samples)["update/samples"] == len(samples)
    assert not local.update([replace(s, advantage=0.0) for s in samples])


@pytest.mark.parametrize("name", ["qwen2", "gpt2"])
def test_micro_batches_and_workers_change_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    samples = samples_of(policy(name))
    settings = {"entropy": 0.1, "grad_clip": 1e9}
    whole = gradient(monkeypatch, policy(name, update={**settings, "tokens_per_batch": 10**6}), samples)
    for budget in (200, 1):
        split = policy(name, update={**settings, "tokens_per_batch": budget})
        parts = gradient(monkeypatch, split, samples)
        assert parts[0] == pytest.approx(whole[0], rel=1e-6)
        assert apart(parts[1], whole[1]) < 1e-6
        assert parts[2] == 1.0
        side_by_side = policy(name, model={"threads": 3}, update={**settings, "tokens_per_batch": budget})
        again = gradient(monkeypatch, side_by_side, samples)
        if name in tiny_models.FAST:  # by workers
            assert again[0] == parts[0]
            assert torch.equal(again[1], parts[1])
        assert apart(again[1], parts[1]) < 1e-6  # with threads of OpenMP, which add up in another order


def test_long_samples_are_computed_as_a_forest(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = samples_of(policy())
    settings = {"entropy": 0.1, "grad_clip": 1e9}
    ours = gradient(monkeypatch, policy(update=settings), samples)
    monkeypatch.setattr(shared, "LONGEST", 30)  # some are longer and some are not
    lengths = [len(batch) for batch in policy(update=settings).learner.batches(items_of(policy(), samples))]
    assert len(lengths) == 2
    theirs = gradient(monkeypatch, policy(update=settings), samples)
    assert theirs[0] == pytest.approx(ours[0], rel=1e-6)
    assert apart(theirs[1], ours[1]) < 1e-6


@pytest.mark.parametrize("name", ["llama-one-kv", "qwen2", "gpt2"])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_way_of_large_models_changes_nothing(name: str, checkpoint: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All as a forest, the head in chunks; with a KL term, and small micro-batches. Against transformers."""
    update = {"entropy": 0.1, "grad_clip": 1e9, "checkpoint_activations": checkpoint, "tokens_per_batch": 100}
    plain = gradient(monkeypatch, policy(name, update={**update, "kl": 0.3}), samples_of(policy(name)))
    monkeypatch.setattr(hardware, "LARGE", 1)
    monkeypatch.setattr(head, "CELLS", 8 * tiny_models.VOCABULARY)
    local = policy(name, update=update)
    samples = samples_of(local)
    loss, grad, ratio = gradient(monkeypatch, local, samples)
    expected_loss, expected = plain_gradient(local, samples)
    assert loss == pytest.approx(expected_loss, rel=1e-5, abs=1e-6)
    assert apart(grad, expected) < 5e-6
    assert ratio == 1.0
    with_kl = gradient(monkeypatch, policy(name, update={**update, "kl": 0.3}), samples)
    assert with_kl[0] == pytest.approx(plain[0], rel=1e-5, abs=1e-6)
    assert apart(with_kl[1], plain[1]) < 5e-6


def items_of(local: LocalPolicy, samples: list[Sample]) -> list[Item]:
    """Return the samples in tokens."""
    ids = [local.tokens.encode([sample.prompt])[0] for sample in samples]
    return [
        Item(tuple(prompt), s.completion.tokens, s.completion.logprobs, s.advantage, s.weight)
        for prompt, s in zip(ids, samples, strict=True)
    ]


def test_old_log_probabilities_are_those_before_the_first_update() -> None:
    local = policy(update={"epochs": 3, "learning_rate": 0.01, "clip_low": 0.01, "clip_high": 0.01})
    samples = samples_of(local)
    metrics = local.update(samples)
    assert metrics["ratio/max"] > 1.01  # of the last of three updates
    assert metrics["clip_fraction"] > 0
    assert metrics["mismatch/max"] == pytest.approx(1.0, abs=1e-4)  # old against sampler: still the same weights
    once = policy(update={"epochs": 1, "learning_rate": 0.01})
    assert once.update(samples)["ratio/max"] == 1.0


def test_log_probabilities_are_those_at_the_temperature_of_sampling() -> None:
    local = policy(sampling={"temperature": 0.6})
    keys = [Key(number) for number in range(3)]
    prompts = [Prompt(text) for text in ("a b", "c", "hello <think>")]
    rows = local.sample(prompts, 2, Sampling(max_tokens=12, temperature=0.6), keys)
    samples = [Sample(prompts[0], completion, advantage=1.0) for completion in rows[0]]
    assert local.update(samples)["mismatch/max"] == pytest.approx(1.0, abs=1e-4)
    assert policy().update(samples)["mismatch/mean"] != pytest.approx(1.0, abs=1e-2)


def test_gradients_are_clipped_and_weights_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    """By AdamW, decay takes rate * decay of each weight, whatever the gradient."""
    samples = samples_of(policy())
    assert gradient(monkeypatch, policy(update={"grad_clip": 1e9}), samples)[1].norm() > 0.01
    clipped = gradient(monkeypatch, policy(update={"grad_clip": 0.01}), samples)[1]
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-3)
    before = [weight.detach().clone() for weight in policy().model.parameters()]
    plain, decayed = (policy(update={"learning_rate": 0.01, "weight_decay": decay}) for decay in (0.0, 0.5))
    for local in (plain, decayed):
        local.update(samples)
    for first, without, with_decay in zip(before, plain.model.parameters(), decayed.model.parameters(), strict=True):
        torch.testing.assert_close(without - with_decay, 0.01 * 0.5 * first, rtol=1e-3, atol=1e-7)


def test_the_reference_is_where_the_run_began(tmp_path: Path) -> None:
    local = policy(update={"kl": 0.5, "learning_rate": 0.01})
    assert local.update(samples_of(local))["kl"] == pytest.approx(0.0, abs=1e-9)
    samples = samples_of(local)
    local.save(tmp_path)
    other = policy(update={"kl": 0.5, "learning_rate": 0.01})
    other.load(tmp_path)
    divergence = local.update(samples)["kl"]
    assert divergence > 1e-4
    assert other.update(samples)["kl"] == divergence
    without = policy()
    without.load(tmp_path)  # which asks for no reference
    (tmp_path / "without").mkdir()
    without.save(tmp_path / "without")
    with pytest.raises(UserError, match="reference"):
        local.load(tmp_path / "without")


def test_the_learning_rate_falls_at_the_end_of_the_run() -> None:
    """Five steps at 0.4, falling over the last two: (5 - 3) / 2, (5 - 4) / 2; after the end 0, not less."""
    local = policy(steps=5, update={"warmup_steps": 2, "decay_steps": 2, "learning_rate": 0.4})
    samples = samples_of(local)
    rates = [local.update(samples)["lr"] for _ in range(7)]
    assert rates == pytest.approx([0.2, 0.4, 0.4, 0.4, 0.2, 0.0, 0.0])
    local = policy(steps=5, update={"decay_steps": 2, "learning_rate": 0.4, "entropy": 0.0})
    for nothing in ([replace(s, advantage=0.0) for s in samples], [], [replace(s, weight=0.0) for s in samples]):
        assert not local.update(nothing)  # steps of the run all the same
    assert [local.update(samples)["lr"] for _ in range(2)] == pytest.approx([0.4, 0.2])
    short = policy(steps=3, update={"decay_steps": 50, "learning_rate": 0.3})
    assert [short.update(samples)["lr"] for _ in range(3)] == pytest.approx([0.3, 0.2, 0.1])


def test_warmup_and_what_is_not_finite() -> None:
    local = policy(update={"warmup_steps": 4, "learning_rate": 0.4})
    rates = [local.update(samples_of(local, seed))["lr"] for seed in range(5)]
    assert rates == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    sample = samples_of(local)[0]
    with pytest.raises(ValueError, match="advantage nan"):
        local.update([Sample(sample.prompt, sample.completion, math.nan)])
    before = [parameter.clone() for parameter in local.model.parameters()]
    with pytest.raises(Exception, match="not finite"):
        local.update([Sample(sample.prompt, sample.completion, 1e38, 1e-30)] * 9)
    assert all(torch.equal(a, b) for a, b in zip(before, local.model.parameters(), strict=True))


def test_dropout_is_off() -> None:
    model = tiny_models.model("gpt2")
    rates = [module.p for module in model.modules() if isinstance(module, nn.Dropout)]
    assert any(rates)
    item = Item((1, 2, 3), (4, 5), (-1.0, -1.0), 1.0, 1.0)
    settings = config(update={"learning_rate": 0.0, "checkpoint_activations": True}).update
    one = Learner(model, settings, torch.float32)
    assert one.update([item])["loss"] == one.update([item])["loss"]
