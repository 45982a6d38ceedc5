"""A policy in this process: any causal language model of transformers, on one device.

Promises: the port `absolute_zero.ports.Policy`; samples come from the weights as they are at the call, since the
sampler has no weights of its own to go stale; on one CPU, the same calls give the same bits, whatever the machine does
beside, and `save` then `load` go on as if nothing had happened. Weights and optimiser are in float32.
Does not shard a model, and knows nothing of tasks.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import copy
import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy import folder as folders
from absolute_zero.policy import hardware, sampler
from absolute_zero.policy.batches import Item
from absolute_zero.policy.decoding import Decoder
from absolute_zero.policy.generic import Generic, fit_attention
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights, supported
from absolute_zero.types import Completion, Sample, Sampling, UserError

PIECE = 128
"""Rows that are sampled together at the least: with fewer, a second lane gains little."""


class LocalPolicy:
    """A model and its tokenizer, which samples and learns as `cfg` says (sections model, sampling and update).

    `model` is a causal language model of transformers and becomes this policy's own; `tokenizer` goes with it.
    """

    def __init__(self, model: Any, tokenizer: Any, cfg: Config) -> None:
        self.cfg = cfg
        self.device = hardware.device(cfg.model.device)
        self.dtype = hardware.precision(cfg.model.dtype, self.device)
        with self._memory("a smaller model"):
            self._adopt(model, tokenizer)

    @classmethod
    def open(cls, path: str | Path, cfg: Config) -> "LocalPolicy":
        """A policy from a folder in Hugging Face's format, or a name on its hub. Raises UserError if there is none."""
        return cls(*folders.open_model(path), cfg)

    def _adopt(self, model: Any, tokenizer: Any, reference: Any = None) -> None:
        self.model: Any = model.float().to(self.device)
        self.tokens = Tokens(tokenizer, folders.ends(model, tokenizer))
        if self.cfg.update.kl > 0:
            reference = copy.deepcopy(self.model) if reference is None else reference.float().to(self.device)
            reference.requires_grad_(False).eval()
        temperature = self.cfg.sampling.temperature
        self.learner = Learner(self.model, self.cfg.update, self.dtype, temperature, reference, self.cfg.steps)
        self._copy: Any = None

    @property
    def context(self) -> int:
        """Most tokens of a prompt and its completion together, as far as the model says."""
        return getattr(self.model.config, "max_position_embeddings", None) or 1 << 30

    def sample(
        self, prompts: Sequence[str], tries: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """`tries` completions of each prompt: [prompt][try]. Try t of prompt i draws from `chances[i].at(t)`.

        Log-probabilities are of the model's distribution at `sampling.temperature` before top-p, and at temperature 1
        for greedy sampling (`absolute_zero.policy.draws`). A prompt of more than `cfg.sampling.max_prompt_tokens`
        tokens, or that leaves no room in the model's context, gives completions without tokens. Raises UserError if
        the GPU's memory is too small, and AbsoluteZeroError if the model's logits are no numbers.
        """
        bits = [[key.at(number).bits for number in range(tries)] for _, key in zip(prompts, keys, strict=True)]
        ids = self.tokens.encode(prompts)
        limit = min(self.cfg.sampling.max_prompt_tokens, self.context - 1)
        found = [[Completion("", (), (), truncated=True) for _ in row] for row in bits]
        # Dealt out by length, so that pieces are alike.
        fit = sorted((place for place in range(len(ids)) if len(ids[place]) <= limit), key=lambda at: -len(ids[at]))
        most = max(1, min(len(fit), len(fit) * tries // PIECE)) if supported(self.model) else 1
        pieces = hardware.lanes(self.cfg.model.threads, most, self.device)
        places = [fit[first::pieces] for first in range(pieces) if fit and tries]
        with self._memory("fewer tries, or shorter completions (sampling.max_tokens)"), torch.inference_mode():
            engine = self._engines(max((len(ids[place]) for place in fit), default=0))
            jobs = [
                partial(
                    sampler.sample,
                    engine,
                    self.tokens,
                    [ids[place] for place in piece],
                    [bits[place] for place in piece],
                    sampling,
                    self.context,
                    hardware.cache_bytes(self.device) // pieces,
                )
                for piece in places
            ]
            for piece, completions in zip(places, hardware.run(jobs, pieces), strict=True):
                for place, row in zip(piece, completions, strict=True):
                    found[place] = row
        return found

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """One step of the optimiser (`absolute_zero.policy.learner`), on the samples with weight and tokens.

        They are taken to be drawn at `cfg.sampling.temperature`, of whose distribution all probabilities here are.
        Measured: `samples` that count, and `learning_rate`; over the tokens of those that have a gradient (without
        entropy bonus and KL term, advantages of 0 have none) `loss`, `entropy` (nats), `ratio` and `ratio_max`
        (probability now to before the step), `clipped` (share without gradient), `mismatch` and `mismatch_max`
        (learner's probability to sampler's), `kl` (if there is a reference), `tokens`; and `grad_norm` before clipping.
        Nothing to learn from changes nothing, and gives nothing. Raises UserError if the GPU's memory is too small.
        """
        prompts = {sample.prompt: () for sample in samples}
        ids = dict(zip(prompts, map(tuple, self.tokens.encode(list(prompts))), strict=True))
        items = [
            Item(ids[s.prompt], s.completion.tokens, s.completion.logprobs, s.advantage, s.weight) for s in samples
        ]
        for item in items:
            if not (math.isfinite(item.advantage) and math.isfinite(item.weight) and item.weight >= 0):
                raise ValueError(f"cannot learn from advantage {item.advantage} and weight {item.weight}")
        remedy = "a smaller update.tokens_per_batch, or update.checkpoint_activations = true (in its config.json)"
        with self._memory(remedy):
            return self.learner.update(items, self.cfg.model.threads)

    def save(self, folder: Path) -> None:
        """Writes model, tokenizer and optimiser into an empty folder, which transformers can open too."""
        folders.save(folder, self.model, self.tokens.tokenizer, self.learner)

    def load(self, folder: Path) -> None:
        """Becomes what was saved there. Raises UserError, and stays what it was, if that cannot be."""
        model, tokenizer = folders.open_model(folder)
        reference = folders.open_reference(folder) if self.cfg.update.kl > 0 else None
        state = folders.open_state(folder, model)
        with self._memory("a smaller model"):
            self._adopt(model, tokenizer, reference)
        folders.restore(self.learner, state)

    def _engines(self, longest: int) -> sampler.Engines:
        """A maker of engines, on the weights as they are now, for prompts of up to so many tokens."""
        if supported(self.model):
            return partial(Decoder, Weights.of(self.model, self.dtype))
        if self.dtype == torch.float32:
            fit_attention(self.model, longest)
            return partial(Generic, self.model)
        # A copy in the other precision: autocast would convert all weights again for every token.
        double = self._copy
        if double is None:
            double = self._copy = copy.deepcopy(self.model).to(self.dtype).requires_grad_(False).eval()
        for mine, now in zip(double.parameters(), self.model.parameters(), strict=True):
            mine.copy_(now)
        fit_attention(double, longest)
        return partial(Generic, double)

    @contextmanager
    def _memory(self, remedy: str) -> Generator[None]:
        try:
            yield
        except torch.OutOfMemoryError:
            raise UserError(f"the GPU's memory is too small for this: ask for {remedy}") from None
