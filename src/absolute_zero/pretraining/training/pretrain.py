"""Pretraining of the embedded model: documents of the grammar, and nothing else.

A Llama of a few million parameters (head size 32, 2 key-value heads, tied embeddings) with weights in float32, and
products of matrices in bfloat16 where the hardware does them well, on a CPU and on a GPU alike. Matrices are trained
with Muon, the rest with AdamW.

Promises: a run can be killed at any moment and resumes from its last checkpoint, with the same documents; with the
same budget in tokens, seed, precision and versions it gives the same weights. No weight is trained on anything held out
(the tokenizer counts pieces of all documents). Writes
`model/` (weights in bfloat16 and the tokenizer, for `transformers`), `curve.csv` and `checkpoint.pt` into its folder.
Does not promise equal weights over different machines, nor anything of a budget in minutes.
"""
# pyright: reportUnknownMemberType=false

import math
import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Final, final

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from absolute_zero.disk import explain_failures, locked, write
from absolute_zero.policy import hardware
from absolute_zero.policy.batches import pack
from absolute_zero.policy.folder import saving
from absolute_zero.policy.opening import open_model
from absolute_zero.policy.transformer import supported
from absolute_zero.pretraining.traces.documents import documents
from absolute_zero.pretraining.training.held_out import read_held_out
from absolute_zero.pretraining.training.losses import losses
from absolute_zero.pretraining.training.muon import Muon
from absolute_zero.pretraining.training.stream import Batch, Plan, Row, batches
from absolute_zero.pretraining.training.tokenizer import END, load_tokenizer, train_tokenizer
from absolute_zero.types import UserError

HEAD: Final = 32
KV_HEADS: Final = 2
POSITIONS: Final = 2048
CHECKPOINT: Final = "checkpoint.pt"
LAYOUT: Final = 2
"""Of what is in a checkpoint. A run of another one is not resumed."""
CURVE: Final = "curve.csv"
MODEL: Final = "model"
TOKENIZER: Final = "tokenizer"
_COLUMNS: Final = ("step", "tokens", "seconds", "loss", "learning_rate", "dropped")


@final
@dataclass(frozen=True, slots=True)
class Settings:
    """What makes a pretraining run. Exactly one of `tokens` and `minutes` is its budget."""

    tokens: int = 0
    """Tokens to train on: those of whole documents, without padding."""
    minutes: float = 0.0
    """Wall time of training."""
    seed: int = 0
    threads: int = 1
    """Micro-batches that are computed side by side, each on a thread of its own. They do not change the result."""
    workers: int = 1
    """Processes that draw documents; 0 draws them in between."""
    device: str = "cpu"
    dtype: str = "auto"
    """Precision of matrix products: float32, bfloat16, or `auto`: bfloat16 where the hardware does it well."""
    hidden: int = 192
    layers: int = 6
    feed: int = 512
    """Width of the layers between attentions."""
    batch: int = 96
    """Documents per step."""
    tokens_per_batch: int = 1500
    """Tokens that go through the model together."""
    learning_rate: float = 3e-3
    """Of AdamW; Muon's is larger by `muon`."""
    muon: float = 5.0
    warmup: float = 0.02
    """Share of the budget over which the learning rate rises."""
    decay: float = 0.7
    """Share of the budget over which it falls to nothing."""
    prompt_weight: float = 0.1
    checkpoint_minutes: float = 5.0
    held_out: tuple[Path, ...] = ()
    """Files of programs that are in no document (`absolute_zero.pretraining.training.held_out`)."""
    start: Path | None = None
    """A folder with a model and its tokenizer to begin with, instead of random weights."""

    def __post_init__(self) -> None:
        if self.device not in ("cpu", "cuda"):
            raise UserError(f"device {self.device!r} is not known: give cpu or cuda")
        if self.dtype not in ("auto", "float32", "bfloat16"):
            raise UserError(f"dtype {self.dtype!r} is not known: give auto, float32 or bfloat16")
        if bool(self.tokens) == bool(self.minutes) or not math.isfinite(self.minutes):
            raise UserError("give either tokens or minutes as the budget of pretraining, a number")
        if not 0 < self.decay <= 1:
            raise UserError(f"decay is a share of the budget, above 0 and at most 1: {self.decay} is not")
        if self.hidden % (KV_HEADS * HEAD):
            raise UserError(f"the hidden size is a multiple of {KV_HEADS * HEAD}: {self.hidden} is not")

    def precision(self) -> torch.dtype:
        """Return that of matrix products, on the device. Raises UserError for a device that is not there."""
        return hardware.precision(self.dtype, hardware.device(self.device))

    def lasting(self) -> dict[str, str]:
        """Return what a run cannot change on its way, as text: of held-out files what is in them.

        Raises UserError for files that cannot be read, and for a device that is not there.
        """
        free = ("threads", "workers", "device", "checkpoint_minutes", "held_out")
        kept = {name: str(value) for name, value in asdict(self).items() if name not in free}
        held_out = read_held_out(self.held_out)
        precision = str(self.precision()).removeprefix("torch.")
        return {**kept, "dtype": precision, "held_out": held_out.digest if held_out else "nothing"}


@final
@dataclass(slots=True)
class _State:
    """Where a run is; with the weights and the optimisers, all there is to know."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    dropped: int = 0


Say = Callable[[str], None]


def pretrain(folder: Path, settings: Settings, *, resume: bool = False, say: Say = print) -> Path:
    """Train a model into a folder, and return the folder of the finished model.

    Raises UserError, and leaves what is there as it is, where another process works in the folder, where there is a run
    already or (`resume`) none, a damaged one or one with other settings, and for a device or files that are not there.
    """
    if resume and not os.path.exists(folder / CHECKPOINT):
        raise UserError(f"{folder} holds no run to resume: leave --resume out, or name another folder")
    lasting = settings.lasting()
    start = None if settings.start is None else _opened(settings.start)
    with explain_failures(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder):
        kept = _kept(folder, lasting, resume)
        torch.set_num_threads(1)
        torch.manual_seed(settings.seed)
        if kept is None or not (folder / TOKENIZER / "tokenizer.json").exists():
            _save_tokenizer(folder, settings.seed, None if start is None else start[1])
        tokenizer = load_tokenizer(folder / TOKENIZER)
        model = new_model(len(tokenizer), settings, tokenizer) if start is None else start[0]
        run = _Run(folder, settings, lasting, model.to(settings.device), say)
        if kept is None:
            run.save()  # from now on, the folder holds a run
        else:
            run.become(kept)
        return _train(folder, settings, run, tokenizer, say)


def _kept(folder: Path, lasting: Mapping[str, str], resume: bool) -> Any:
    """Return the checkpoint to resume from; None for a run that begins. Raises UserError as `pretrain` says."""
    checkpoint = folder / CHECKPOINT
    if not resume:
        if checkpoint.exists():
            raise UserError(f"{folder} holds a run already: resume it (--resume), or choose another folder")
        if (folder / MODEL).exists():
            raise UserError(f"{folder} holds a finished model and no checkpoint of it: choose another folder")
        return None
    kept: dict[str, Any] = {}
    with explain_failures(checkpoint, "make it readable"):
        written = BytesIO(checkpoint.read_bytes())
    with suppress(OSError, EOFError, RuntimeError, ValueError, TypeError, pickle.UnpicklingError):  # what torch raises
        kept = dict(torch.load(written, map_location="cpu", weights_only=True))
    if kept.get("layout") != LAYOUT:
        raise UserError(f"{checkpoint} is damaged, or of another version: begin again in another folder")
    for name, now in lasting.items():
        if (begun := kept["settings"].get(name)) != now:
            raise UserError(f"{folder} was begun with {name} {begun}, not {now}: give the same as then")
    return kept


def _train(folder: Path, settings: Settings, run: "_Run", tokenizer: Any, say: Say) -> Path:
    """Train from where the run stands, and return the folder of the finished model."""
    model = run.model
    plan = Plan(settings.seed, settings.batch, folder / TOKENIZER / "tokenizer.json", settings.prompt_weight,
                settings.held_out)  # fmt: skip
    size = sum(parameter.numel() for parameter in model.parameters())
    say(f"{size:,} parameters, {len(tokenizer)} tokens, {run.lasting['dtype']}, from step {run.state.step}")
    with batches(plan, run.state.step, settings.workers) as stream:
        while run.progress() < 1:
            run.step(next(stream))
    run.save()
    finished = folder / MODEL
    with explain_failures(finished), saving():
        model.to(torch.bfloat16).save_pretrained(finished)
        tokenizer.save_pretrained(finished)
    say(f"done: {run.state.tokens:,} tokens in {run.state.seconds / 60:.1f} minutes; {finished}")
    return finished


def _opened(start: Path) -> tuple[Any, Any]:
    """Return the model and tokenizer to begin with. Raises UserError for those that documents cannot be taught to."""
    model, tokenizer = open_model(start)
    if not supported(model) or END not in tokenizer.get_vocab():
        raise UserError(f"cannot begin with {str(start)!r}: give a model that azr pretrain has made")
    return model, tokenizer


def _save_tokenizer(folder: Path, seed: int, tokenizer: Any) -> None:
    """Save the tokenizer, or for None one that is trained on a stream of its own.

    It overwrites what a run that was stopped before its first checkpoint may have left.
    """
    if tokenizer is None:
        stream = documents(seed + (1 << 32))
        tokenizer = train_tokenizer(drawn.prompt + drawn.response for drawn in islice(stream, 4000))
    with explain_failures(folder), saving():
        tokenizer.save_pretrained(folder / TOKENIZER)


def new_model(vocabulary: int, settings: Settings, tokenizer: Any) -> Any:
    """Return a Llama of the settings' shape with random weights in float32."""
    config: Any = LlamaConfig
    shape = config(
        vocab_size=vocabulary,
        hidden_size=settings.hidden,
        intermediate_size=settings.feed,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.hidden // HEAD,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=True,
        initializer_range=settings.hidden**-0.5 / 2,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(shape)


def micro_batches(rows: Sequence[Row], budget: int) -> list[list[Row]]:
    """Return the rows, longest first, in micro-batches of at most this many tokens (or of one row that is longer)."""
    return pack(reversed(rows), lambda batch: sum(len(row.tokens) for row in batch), budget)


@final
class _Run:
    """One run: a model, its optimisers, and where it is."""

    def __init__(self, folder: Path, settings: Settings, lasting: Mapping[str, str], model: Any, say: Say) -> None:
        self.settings, self.lasting = settings, lasting
        self.model, self.dtype = model, settings.precision()
        self.say = say
        self.state = _State()
        self.curve = folder / CURVE
        self._record(f"{','.join(_COLUMNS)}\n", anew=True)
        self._recent: list[float] = []
        self._told = self._saved = time.monotonic()
        self._checkpoint = folder / CHECKPOINT
        inner = [[weight for weight in layer.parameters() if weight.ndim == 2] for layer in model.model.layers]
        known = {id(weight) for weights in inner for weight in weights}
        outer = [weight for weight in model.parameters() if id(weight) not in known]
        # One for each layer, so that threads can share them: orthogonalising is a good part of a step.
        self.optimisers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.AdamW(outer, lr=0.0, betas=(0.9, 0.95), weight_decay=0.0, fused=True), settings.learning_rate),
            *((Muon(weights, lr=0.0, weight_decay=0.02, dtype=self.dtype), settings.learning_rate * settings.muon)
              for weights in inner),
        ]  # fmt: skip

    def progress(self) -> float:
        """Return the share of the budget that is spent."""
        budget = self.settings
        if budget.tokens:
            return self.state.tokens / budget.tokens
        return self.state.seconds / (60 * budget.minutes)

    def step(self, batch: Batch) -> None:
        """Learn from the documents of one step."""
        begun = time.monotonic()
        settings, state, progress = self.settings, self.state, self.progress()
        rate = min(1.0, (progress + 1e-4) / settings.warmup, (1 - progress) / settings.decay)
        for optimiser, peak in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = peak * rate
        total = sum(sum(row.weights[1:]) for row in batch.rows)
        jobs = [partial(self._gradients, rows, total) for rows in micro_batches(batch.rows, settings.tokens_per_batch)]
        loss = 0.0
        for share, gradients in hardware.run(jobs, settings.threads):
            loss += share
            for parameter, gradient in zip(self.model.parameters(), gradients, strict=True):
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        steps: list[Callable[[], object]] = [optimiser.step for optimiser, _ in self.optimisers]
        for _ in hardware.run(steps, settings.threads):
            pass
        self.model.zero_grad(set_to_none=True)
        state.step += 1
        state.tokens += sum(len(row.tokens) for row in batch.rows)
        state.dropped += batch.dropped
        state.seconds += time.monotonic() - begun
        self._recent.append(loss)
        self._report(rate)

    def _gradients(self, rows: Sequence[Row], total: float) -> tuple[float, Sequence[Tensor]]:
        """Return the rows' share of the loss, and of the gradients."""
        each = losses(self.model, [row.tokens for row in rows], self.dtype)
        weights = torch.tensor([weight for row in rows for weight in row.weights[1:]], device=each.device)
        loss = (each * weights).sum() / total
        return float(loss.detach()), torch.autograd.grad(loss, list(self.model.parameters()))

    def _report(self, rate: float) -> None:
        now = time.monotonic()
        state = self.state
        if state.step % 20 == 0:
            mean = sum(self._recent) / len(self._recent)
            self._recent.clear()
            learning_rate = f"{rate * self.settings.learning_rate:.6f}"
            row = (state.step, state.tokens, f"{state.seconds:.1f}", f"{mean:.4f}", learning_rate, state.dropped)
            self._record(",".join(map(str, row)) + "\n")
            if now - self._told > 20:
                self._told = now
                self.say(
                    f"step {state.step}  {100 * self.progress():.1f}%  loss {mean:.4f}"
                    f"  {state.tokens / 1e6:.2f} M tokens, {state.tokens / state.seconds:,.0f} a second"
                )
        if now - self._saved > 60 * self.settings.checkpoint_minutes:
            self._saved = now
            self.save()

    def _record(self, lines: str, *, anew: bool = False) -> None:
        """Write lines into the curve, behind the others or (`anew`) instead of them."""
        with explain_failures(self.curve), self.curve.open("w" if anew else "a", encoding="utf-8") as stream:
            stream.write(lines)

    def save(self) -> None:
        """Write all that `become` needs, whole or not at all."""
        kept = {
            "layout": LAYOUT,
            "settings": self.lasting,
            "state": asdict(self.state),
            "curve": self.curve.read_text(encoding="utf-8"),
            "recent": self._recent,
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser, _ in self.optimisers],
        }
        with explain_failures(self._checkpoint):
            write(self._checkpoint, partial(torch.save, kept))

    def become(self, kept: Any) -> None:
        """Resume from what was saved; lines of the curve after it are gone."""
        self.state = _State(**kept["state"])
        self._record(kept["curve"], anew=True)
        self._recent = kept["recent"]
        self.model.load_state_dict(kept["model"])
        for (optimiser, _), saved in zip(self.optimisers, kept["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
