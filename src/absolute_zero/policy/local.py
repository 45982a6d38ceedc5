"""A policy in this process: any causal language model of transformers, on one device.

Promises: the port `absolute_zero.ports.Policy`; samples come from the weights as they are at the call, since the
sampler has no weights of its own to go stale; on one CPU, the same calls give the same bits, whatever the machine does
beside, and `save` then `load` go on as if nothing had happened. Weights and optimiser are in float32.
Does not shard a model, and knows nothing of tasks.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import copy
import math
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch

from absolute_zero.config import Config
from absolute_zero.keys import Key
from absolute_zero.policy import folder as folders
from absolute_zero.policy import hardware, lora, opening, packing, sampler
from absolute_zero.policy.batches import Item
from absolute_zero.policy.decoding import Decoder
from absolute_zero.policy.generic import Generic, fit_attention
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.prefixes import shared_prefixes
from absolute_zero.policy.tokens import Tokens
from absolute_zero.policy.transformer import Weights, supported
from absolute_zero.ports import Chat
from absolute_zero.types import Completion, Prompt, Sample, Sampling, UserError

ROWS_PER_WORKER = 128
"""Rows that are sampled together at the least: with fewer, a second worker gains little."""


class LocalPolicy:
    """A model and its tokenizer, which samples and learns as `cfg` says (sections model, sampling and update).

    `model` is a causal language model of transformers and becomes this policy's own; `tokenizer` goes with it.
    """

    def __init__(self, model: Any, tokenizer: Any, cfg: Config) -> None:
        self.cfg = cfg
        self.device = hardware.device(cfg.model.device)
        self.dtype = hardware.precision(cfg.model.dtype, self.device)
        if cfg.lora.rank and lora.adapted(model):
            lora.check(model, cfg.lora)
            if cfg.update.kl > 0:
                remedy = "set update.kl = 0, or begin with the merged model (absolute_zero.policy.lora.export)"
                raise UserError(
                    f"update.kl compares with the model without its adapter, and this begins with one: {remedy}"
                )
        with self._memory("a smaller model"):
            self._adopt(model, tokenizer)

    @classmethod
    def open(cls, path: str | Path, cfg: Config, say: Callable[[str], object] = opening.nothing) -> "LocalPolicy":
        """Open a policy from a folder in Hugging Face's format, or a name on its hub. Raises UserError.

        What is worth knowing of the model goes to `say`, a line each (`absolute_zero.policy.opening`).
        """
        policy = cls(*opening.open_model(path, say), cfg)
        if policy.context < cfg.sampling.max_prompt_tokens:
            say(f"prompts of {policy.context} tokens and more are not asked, as the model takes no more")
        return policy

    def _adopt(self, model: Any, tokenizer: Any, reference: Any = None) -> None:
        model = model.float().to(self.device)
        if self.cfg.lora.rank == 0 and lora.adapted(model):
            model = lora.merge(model)
        elif self.cfg.lora.rank and not lora.adapted(model):
            model = lora.attach(model, self.cfg.lora, Key(self.cfg.seed))
        self._whole, self.model = model, lora.unwrapped(model)
        self.tokens = Tokens(tokenizer, opening.eos_ids(self.model, tokenizer), self.cfg.form.think)
        if self.cfg.update.kl > 0 and not self.cfg.lora.rank:
            reference = copy.deepcopy(self.model) if reference is None else reference.float().to(self.device)
            reference.requires_grad_(False).eval()
        temperature = self.cfg.sampling.temperature
        self.learner = Learner(self.model, self.cfg.update, self.dtype, temperature, reference, self.cfg.steps)
        self._copy: Any = None
        self._base = ""

    @property
    def chat(self) -> Chat | None:
        """How the model takes chat messages; None if its tokenizer has no chat template."""
        return self.tokens.chat

    @property
    def context(self) -> int:
        """Most tokens of a prompt and its completion together, as far as the model says."""
        return getattr(self.model.config, "max_position_embeddings", None) or 1 << 30

    def sample(
        self, prompts: Sequence[Prompt], n: int, sampling: Sampling, keys: Sequence[Key]
    ) -> list[list[Completion]]:
        """Return `n` completions of each prompt: [prompt][rollout]. Rollout t of prompt i draws from `keys[i].at(t)`.

        Log-probabilities are of the model's distribution at `sampling.temperature` before top-p, and at temperature 1
        for greedy sampling (`absolute_zero.policy.draws`). A prompt of more than `cfg.sampling.max_prompt_tokens`
        tokens, or that leaves no room in the model's context, gives completions without tokens. Raises UserError if
        the GPU's memory is too small or the tokenizer takes no chat, and AbsoluteZeroError if the model's logits are
        no numbers.
        """
        bits = [[key.at(attempt).bits for attempt in range(n)] for _, key in zip(prompts, keys, strict=True)]
        ids = self.tokens.encode(prompts)
        limit = min(self.cfg.sampling.max_prompt_tokens, self.context - 1)
        completions = [[Completion("", (), (), truncated=True) for _ in row] for row in bits]
        # Shared out by length, so that the shares are alike.
        fit = sorted((index for index in range(len(ids)) if len(ids[index]) <= limit), key=lambda i: -len(ids[i]))
        most = max(1, min(len(fit), len(fit) * n // ROWS_PER_WORKER)) if supported(self.model) else 1
        large = hardware.large(self.model)
        workers = hardware.workers(self.cfg.model.threads, most, self.device, large)
        # A small model computes a beginning in no time.
        prefixes = shared_prefixes([ids[index] for index in fit]) if large and supported(self.model) else []
        memory = hardware.cache_bytes(self.device, sum(weight.nbytes for weight in self.model.parameters())) // workers
        shares = [fit[first::workers] for first in range(workers) if fit and n]
        remedy = "fewer rollouts (solve.n_difficulty, solve.n_practice), or shorter completions (sampling.max_tokens)"
        with self._memory(remedy), torch.inference_mode():
            engine = self._engines(max((len(ids[index]) for index in fit), default=0), prefixes)
            jobs = [
                partial(
                    sampler.sample,
                    engine,
                    self.tokens,
                    [ids[index] for index in share],
                    [bits[index] for index in share],
                    sampling,
                    self.context,
                    memory,
                    prefixes,
                )
                for share in shares
            ]
            for share, rows in zip(shares, hardware.run(jobs, workers), strict=True):
                for index, row in zip(share, rows, strict=True):
                    completions[index] = row
        return completions

    def update(self, samples: Sequence[Sample]) -> Mapping[str, float]:
        """Take one step of the optimiser (`absolute_zero.policy.learner`), on the samples with weight and tokens.

        They are taken to be drawn at `cfg.sampling.temperature`, of whose distribution all probabilities here are.
        Returns `update/samples` that count, `lr` and `grad_norm` before clipping; and over the tokens of those that
        have a gradient (without entropy bonus and KL term, advantages of 0 have none) `loss`, `entropy` (nats),
        `ratio/mean` and `ratio/max` (probability now to before the step), `clip_fraction` (share without gradient),
        `mismatch/mean` and `mismatch/max` (learner's probability to sampler's), `kl` (if there is a reference) and
        `update/tokens`. Nothing to learn from changes nothing, and gives nothing. Raises UserError if the GPU's memory
        is too small or the tokenizer takes no chat.
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
        """Write model, tokenizer and optimiser into an empty folder, which transformers can open too."""
        folders.save(folder, self._whole, self.tokens.tokenizer, self.learner, self._base_digest())

    def load(self, folder: Path) -> None:
        """Become what was saved there. Raises UserError, and stays what it was, if that cannot be."""
        model, tokenizer = opening.open_model(folder)
        if (rank := lora.rank_of(model)) != self.cfg.lora.rank:
            raise UserError(f"cannot go on with {str(folder)!r}: it was saved with lora.rank = {rank}; set it so")
        reference = folders.open_reference(folder) if self.cfg.update.kl > 0 and not rank else None
        state = folders.open_state(folder, lora.unwrapped(model))
        if rank and state.base and state.base != lora.base_digest(lora.unwrapped(model)):
            remedy = "bring back the weights that the run began with"
            raise UserError(f"cannot go on with {str(folder)!r}: the base of its adapter is another now: {remedy}")
        with self._memory("a smaller model"):
            self._adopt(model, tokenizer, reference)
        self._base = state.base  # compared above
        folders.restore(self.learner, state)

    def _base_digest(self) -> str:
        """Return the digest of what is under the adapter, which never changes; empty without one."""
        if self.cfg.lora.rank and not self._base:
            self._base = lora.base_digest(self.model)
        return self._base

    def _engines(self, longest: int, prefixes: Sequence[Sequence[int]]) -> sampler.Engines:
        """Return what makes engines on the weights as they are now, for prompts of up to `longest` tokens."""
        if supported(self.model):
            weights = Weights.of(self.model, self.dtype, "merged")
            packs = hardware.large(self.model) and packing.packable(weights)
            return partial(Decoder, packing.packed(weights) if packs else weights, prefixes)
        if self.dtype == torch.float32:
            fit_attention(self.model, longest)
            return partial(Generic, self.model)
        # A copy in low precision: autocast would convert all weights again for every token.
        low_precision_copy = self._copy
        if low_precision_copy is None:
            low_precision_copy = self._copy = copy.deepcopy(self.model).to(self.dtype).requires_grad_(False).eval()
        for parameter, now in zip(low_precision_copy.parameters(), self.model.parameters(), strict=True):
            parameter.copy_(now)
        fit_attention(low_precision_copy, longest)
        return partial(Generic, low_precision_copy)

    @contextmanager
    def _memory(self, remedy: str) -> Generator[None]:
        try:
            yield
        except torch.OutOfMemoryError:
            raise UserError(f"the GPU's memory is too small for this: ask for {remedy}") from None
