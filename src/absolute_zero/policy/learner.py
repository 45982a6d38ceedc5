"""Learning: from samples to one step of the optimiser, or several on the same samples.

Promises: the loss of `absolute_zero.policy.loss` over the whole step, whatever the micro-batches; on the first update
of a step every ratio is exactly 1, because the old log-probabilities are the learner's own, detached; no dropout; the
same samples, weights and optimiser state give the same bits on one CPU. Weights and optimiser are float32, matrix
products in `dtype`. Does not compute rewards or advantages, and leaves out only what has no gradient.

Shapes: B sequences, T padded length, M tokens that are predicted, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import math
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from absolute_zero.config import Update
from absolute_zero.policy import forest, hardware, head, lora, shared
from absolute_zero.policy.batches import Group, Item, forest_batches, micro_batches, rounded, unshared_micro_batches
from absolute_zero.policy.generic import fit_attention, inputs, left_padded
from absolute_zero.policy.linear import Affine
from absolute_zero.policy.loss import logprobs_and_entropy, per_token_loss
from absolute_zero.policy.transformer import Adapter, Weights, supported
from absolute_zero.types import AbsoluteZeroError


class Learner:
    """A model's optimiser, and the updates it makes.

    Trained are the parameters that want a gradient: all of them, or those of an adapter. `reference` is a frozen copy
    of the weights the run began with; None where `settings.kl` is 0, or where the model has an adapter, without which
    it is its own reference. `steps` is how many the run is to have, which only `settings.decay_steps` asks for.
    """

    def __init__(
        self,
        model: nn.Module,
        settings: Update,
        dtype: torch.dtype,
        temperature: float = 1.0,
        reference: nn.Module | None = None,
        steps: int = 0,
    ) -> None:
        self.model, self.reference = model, reference
        self.settings, self.dtype, self.temperature = settings, dtype, temperature
        self.device = next(model.parameters()).device
        self.steps = steps
        self.updates = 0
        """Steps of the run so far, those with nothing to teach included; the learning rate goes by them."""
        _no_dropout(model)
        self._ours = supported(model)
        self._large = hardware.large(model)
        self._adapted = lora.adapted(model)
        self._trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(
            self._trained,
            lr=settings.learning_rate,
            betas=settings.betas,
            weight_decay=settings.weight_decay,
            fused=True,
        )
        if settings.checkpoint_activations:
            whole: Any = model
            name = "activation_checkpointing_enable"  # as it is called since transformers 5.23
            (getattr(whole, name, None) or whole.gradient_checkpointing_enable)({"use_reentrant": False})
            whole.disable_input_require_grads()  # which only the other kind of checkpoints needs
        model.eval()

    def update(self, items: Sequence[Item], threads: int = 1) -> dict[str, float]:
        """Take one step on these samples, of `settings.epochs` updates, and return the metrics by name.

        Items without weight or tokens are left out; without any item nothing changes, and there are no metrics. Those
        of advantage 0 have no gradient unless there is an entropy bonus or a KL term: they count, but are not computed.
        `threads` is the setting `model.threads`; workers change no bit, threads of OpenMP may. Raises
        AbsoluteZeroError, before the weights change, if the gradient is not finite.
        """
        items = [item for item in items if item.weight > 0 and item.completion]
        computed = items
        if not (self.settings.entropy or self.settings.kl):
            computed = [item for item in items if item.advantage]
        if not computed:
            self.updates += 1
            return {}
        batches = self.batches(computed)
        longest = max(len(item.prompt) + len(item.completion) for item in computed)
        for model in (self.model, *([self.reference] if self.reference is not None else [])):
            fit_attention(model, longest)
        total = math.fsum(item.weight * len(item.completion) for item in items)
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        old: list[Tensor | None] = [None] * len(batches)
        metrics: dict[str, float] = {}
        for _ in range(self.settings.epochs):
            metrics = self._epoch(batches, old, total, threads)
        self.updates += 1
        return {**metrics, "lr": rate, "update/samples": float(len(items))}

    def _rate(self) -> float:
        """Return the learning rate of the next step. After the last step of the run it is 0, if it falls at all."""
        rises = (self.updates + 1) / max(1, self.settings.warmup_steps)
        span = min(self.settings.decay_steps, self.steps)
        falls = (self.steps - self.updates) / span if span else 1.0
        return self.settings.learning_rate * max(0.0, min(1.0, rises, falls))

    def _epoch(
        self, batches: Sequence[Sequence[Group]], old: list[Tensor | None], total: float, threads: int
    ) -> dict[str, float]:
        """Make one update. Fill in `old`, the log-probabilities before the first one, where there are none yet."""
        # transformers says nothing about threads: some models keep what they compute in themselves.
        # Workers of a large model would each hold activations and gradients: it is one, with all threads.
        jobs_apart = len(batches) if self._ours and not self._large else 1
        workers = hardware.workers(threads, jobs_apart, self.device, self._large)
        self.optimizer.zero_grad(set_to_none=True)
        jobs = [
            partial(self._micro_batch, batch, old[index], total, workers > 1) for index, batch in enumerate(batches)
        ]
        tally = Tally()
        # Only transformers' checkpoints look at the mode, since there is no dropout; and then they refuse to sample.
        self.model.train(self.settings.checkpoint_activations)
        for index, (logprob_M, loss, metrics, grads) in enumerate(hardware.run(jobs, workers)):
            old[index] = logprob_M
            tally.add(loss, metrics)
            for parameter, grad in zip(self._trained, grads, strict=False):
                if grad is not None:
                    parameter.grad = grad if parameter.grad is None else parameter.grad.add_(grad)
        self.model.eval()
        norm = float(nn.utils.clip_grad_norm_(self._trained, self.settings.grad_clip))
        if not math.isfinite(norm):
            self.optimizer.zero_grad(set_to_none=True)
            raise AbsoluteZeroError(
                "the gradient is not finite: lower update.learning_rate in the run's config.json, then --resume it"
            )
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return {**tally.read(), "grad_norm": norm}

    def batches(self, items: Sequence[Item]) -> list[list[Group]]:
        """Return micro-batches: for our own forward as it computes them, for transformers' with completions alone."""
        budget = self.settings.tokens_per_batch
        if not self._ours:
            return unshared_micro_batches(items, budget)
        short = [item for item in items if not self._as_forest([item])]
        long = [item for item in items if self._as_forest([item])]
        return micro_batches(short, budget) + forest_batches(long, budget)

    def _as_forest(self, items: Sequence[Item]) -> bool:
        """Return whether these are computed as a forest, and not in the grids of small models and short texts."""
        return self._large or max(len(item.prompt) + len(item.completion) for item in items) > shared.LONGEST

    def _micro_batch(
        self, batch: Sequence[Group], old_M: Tensor | None, total: float, apart: bool
    ) -> tuple[Tensor, Tensor, dict[str, Tensor], Sequence[Tensor | None]]:
        """Compute a micro-batch: its old log-probabilities, part of the loss, metrics of each token, and gradients.

        The gradients are added to the parameters' own, unless they are wanted `apart`: then several can be computed
        at the same time, and added in order.
        """
        items = [item for group in batch for item in group.items]
        counts = torch.tensor([len(item.completion) for item in items], device=self.device)

        def per_token(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=self.device).repeat_interleave(counts)

        weight_M, advantage_M = per_token([i.weight for i in items]), per_token([i.advantage for i in items])
        sampler_M = torch.tensor([logprob for item in items for logprob in item.sampler], device=self.device)
        target_M = torch.tensor([token for item in items for token in item.completion], device=self.device)
        reference_M = self._reference_logprobs(batch, target_M)

        def terms(logprob: Tensor, entropy: Tensor, part: slice) -> tuple[Tensor, dict[str, Tensor]]:
            """Return the loss of some tokens, and their metrics."""
            old = logprob.detach() if old_M is None else old_M[part]
            reference = None if reference_M is None else reference_M[part]
            term, metrics = per_token_loss(
                logprob, entropy, old, sampler_M[part], advantage_M[part], self.settings, reference
            )
            return (weight_M[part] * term).sum() / total, metrics

        def loss_of(logprob: Tensor, entropy: Tensor, part: slice) -> Tensor:
            return terms(logprob, entropy, part)[0]

        whole = slice(len(target_M))
        states, final = self._states(self.model, batch)
        if final is not None and len(target_M) * len(final.weight) > head.CELLS:
            loss, logprob_M, entropy_M = head.loss_in_chunks(states[whole], final, target_M, self.temperature, loss_of)
            metrics = terms(logprob_M, entropy_M, whole)[1]
        else:
            logits_MV = states if final is None else final(states)
            logprob_M, entropy_M = self._of_logits(logits_MV, target_M)
            loss, metrics = terms(logprob_M, entropy_M, whole)
        grads: Sequence[Tensor | None] = ()
        if apart:
            grads = torch.autograd.grad(loss, self._trained, allow_unused=True)
        else:
            loss.backward()
        return logprob_M.detach() if old_M is None else old_M, loss.detach(), metrics, grads

    def _of_logits(self, logits_MV: Tensor, target_M: Tensor) -> tuple[Tensor, Tensor]:
        """Return log-probability and entropy at every target, M each, from logits that may have padding."""
        # Rows of padding in the logits go through with a target of 0 and are dropped later: doing it here would copy.
        padded_M = F.pad(target_M, (0, len(logits_MV) - len(target_M)))
        logprob_M, entropy_M = logprobs_and_entropy(logits_MV, padded_M, self.temperature)
        return logprob_M[: len(target_M)], entropy_M[: len(target_M)]

    @torch.no_grad()
    def _reference_logprobs(self, batch: Sequence[Group], target_M: Tensor) -> Tensor | None:
        """Return the log-probability of every target where the run began, M; None without a KL term."""
        if self.settings.kl == 0 or not (self._adapted or self.reference is not None):
            return None
        model = self.model if self.reference is None else self.reference
        with lora.switched_off(model) if self._adapted and not self._ours else nullcontext():
            states, final = self._states(model, batch, "out")
        if final is not None and len(target_M) * len(final.weight) > head.CELLS:
            return head.logprobs_in_chunks(states[: len(target_M)], final, target_M, self.temperature)
        return self._of_logits(states if final is None else final(states), target_M)[0]

    def _states(
        self, model: nn.Module, batch: Sequence[Group], adapter: Adapter = "beside"
    ) -> tuple[Tensor, Affine | None]:
        """Return hidden states at every token of the micro-batch, and the head, of our own forward; or logits alone."""
        items = [item for group in batch for item in group.items]
        if self._ours:
            weights = Weights.of(model, self.dtype, adapter)
            room = forest if self._as_forest(items) else shared
            return room.hidden(batch, weights, self.settings.checkpoint_activations), weights.head
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.dtype == torch.bfloat16):
            return alone_logits(model, items), None


def alone_logits(model: nn.Module, items: Sequence[Item]) -> Tensor:
    """Return logits before every token of every completion, MV, by the model's own forward on whole sequences."""
    rows = [[*item.prompt, *item.completion] for item in items]
    device = next(model.parameters()).device
    ids_BT, mask_BT = left_padded(rows, device, rounded(max(map(len, rows))))
    longest = max(len(item.completion) for item in items)
    out: Any = model(**inputs(model, ids_BT, mask_BT, longest + 1), use_cache=False)
    logits = out.logits[:, -longest - 1 : -1]
    wanted = torch.tensor([[k >= longest - len(i.completion) for k in range(longest)] for i in items], device=device)
    return logits[wanted]


MEANS = {"ratio": "ratio/mean", "mismatch": "mismatch/mean", "clipped": "clip_fraction"}
"""Names of the means over tokens, where they are not those of `per_token_loss`."""


class Tally:
    """Means and extremes over the tokens of a step, gathered by micro-batch."""

    def __init__(self) -> None:
        self.loss, self.tokens = 0.0, 0
        self.sums: dict[str, float] = {}
        self.largest: dict[str, float] = {}

    def add(self, loss: Tensor, metrics: dict[str, Tensor]) -> None:
        """Take in a micro-batch: its part of the loss, and the metrics of its tokens."""
        self.loss += float(loss)
        self.tokens += len(metrics["ratio"])
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.double().sum())
            self.largest[name] = max(self.largest.get(name, -math.inf), float(value.max()))

    def read(self) -> dict[str, float]:
        """Return the metrics of the step by name."""
        means = {MEANS.get(name, name): value / self.tokens for name, value in self.sums.items()}
        largest = {f"{name}/max": self.largest[name] for name in ("ratio", "mismatch")}
        return {"loss": self.loss, "update/tokens": float(self.tokens), **means, **largest}


def _no_dropout(model: nn.Module) -> None:
    """Turn dropout off: a sampled token's probability is of the whole model, nothing in it drawn at random."""
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        for name in ("attention_dropout", "dropout"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)
