"""Low-rank adapters (LoRA) by peft: put into a model, read by our own forward, opened, merged.

A model with an adapter is the same transformers model, some of whose linear layers are wrapped; peft's own object
around it is only needed to write it. Promises: a fresh adapter draws A from the run's seed and the layer's name alone
and has B = 0, so that the model computes what it did without; only the adapter trains; folders are peft's own
(`adapter_config.json`, `adapter_model.safetensors`), with the base as an absolute folder or a name on the hub. peft is
imported when an adapter is asked for, and not otherwise. Does not know optimisers.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import hashlib
import math
import os
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from absolute_zero.config import Lora
from absolute_zero.keys import Key
from absolute_zero.policy.hub import Unfit
from absolute_zero.policy.linear import LowRank
from absolute_zero.types import UserError

ALL_LINEAR = "all-linear"
"""peft's name for every linear layer but the head."""


def _peft() -> Any:
    try:
        return import_module("peft")
    except ImportError as error:
        raise UserError("LoRA needs peft: pip install 'absolute-zero[lora]'") from error


@contextmanager
def _silently() -> Generator[None]:
    """Keep to itself what peft says to its own developers: old names that it uses, layouts that it found out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def unwrapped(model: Any) -> Any:
    """Return the transformers model within peft's object; any other as it is."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def adapter_of(layer: Any) -> LowRank | None:
    """Return the adapter of a linear layer that `computable` accepts, as its parameters are; None without one."""
    names = list(getattr(layer, "lora_A", ()))
    if not names:
        return None
    [name] = names
    return LowRank(layer.lora_A[name].weight, layer.lora_B[name].weight, float(layer.scaling[name]))


def computable(layer: nn.Module) -> bool:
    """Return whether a layer is a plain linear one, or one with a single plain adapter that is at work."""
    wrapped: Any = layer
    if type(layer) is nn.Linear:
        return True
    names = list(getattr(layer, "lora_A", ()))
    if len(names) != 1 or type(getattr(layer, "base_layer", None)) is not nn.Linear:
        return False
    parts = [wrapped.lora_A[names[0]], wrapped.lora_B[names[0]]]
    dropout = wrapped.lora_dropout[names[0]] if hasattr(wrapped, "lora_dropout") else nn.Identity()
    return (
        all(type(part) is nn.Linear and getattr(part, "bias", None) is None for part in parts)
        and list(getattr(wrapped, "active_adapters", names)) == names
        and (type(dropout) is nn.Identity or getattr(dropout, "p", 1.0) == 0)
        and not getattr(wrapped, "merged_adapters", None)
        and not getattr(wrapped, "disable_adapters", False)
        and not getattr(wrapped, "lora_variant", None)  # DoRA and its like
    )


def adapted(model: nn.Module) -> bool:
    """Return whether some layer of a model has an adapter."""
    return any(getattr(module, "lora_A", None) for module in model.modules())


def rank_of(model: nn.Module) -> int:
    """Return the rank of a model's adapter; 0 without one."""
    ranks = [len(adapter.weight) for m in model.modules() for adapter in getattr(m, "lora_A", {}).values()]
    return max(ranks, default=0)


@contextmanager
def switched_off(model: nn.Module) -> Generator[None]:
    """Let the model's own forward compute without its adapter. Not while a graph for gradients is being built."""
    layers: list[Any] = [module for module in model.modules() if getattr(module, "lora_A", None)]
    for layer in layers:
        layer.enable_adapters(False)
    try:
        yield
    finally:
        for layer in layers:
            layer.enable_adapters(True)


def attach(model: Any, settings: Lora, key: Key) -> Any:
    """Put a fresh adapter into a model, in place, and return peft's object around it.

    A is uniform within 1 / sqrt(inputs) of 0, as in peft. Raises UserError without peft, or for targets that the model
    does not have.
    """
    peft = _peft()
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha or 2 * settings.rank,
        target_modules=ALL_LINEAR if settings.targets == (ALL_LINEAR,) else list(settings.targets),
        lora_dropout=0.0,
        bias="none",
        task_type="CAUSAL_LM",
    )
    _check_targets(model, settings.targets)
    try:
        with _silently(), torch.random.fork_rng():
            whole = peft.get_peft_model(model, config, autocast_adapter_dtype=False)
    except ValueError as error:
        raise UserError(f"lora.targets = {list(settings.targets)} does not fit the model: {error}") from error
    with torch.no_grad():
        for name, part in unwrapped(whole).named_modules():
            for label in getattr(part, "lora_A", ()):
                a, b = part.lora_A[label].weight, part.lora_B[label].weight
                noise = torch.Generator().manual_seed(key.at("lora", name).bits >> 1)
                bound = 1 / math.sqrt(a[0].numel())
                a.copy_(torch.empty(a.shape).uniform_(-bound, bound, generator=noise))
                b.zero_()
    return whole


def _check_targets(model: Any, targets: Sequence[str]) -> None:
    """Raise UserError for a target that no linear layer has as its name, and for a head that is the embedding, too."""
    linear = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear | Conv1D)}
    known = ", ".join(sorted({name.rpartition(".")[2] for name in linear}))
    head, embedding = model.get_output_embeddings(), model.get_input_embeddings()
    tied = head is not None and head.weight is getattr(embedding, "weight", None)
    for target in () if tuple(targets) == (ALL_LINEAR,) else targets:
        parts = [part for name, part in linear.items() if name == target or name.endswith(f".{target}")]
        if not parts:
            raise UserError(
                f"lora.targets = {list(targets)}: the model has no linear layer {target!r}: give some of {known}"
            )
        if tied and head in parts:
            raise UserError(
                f"lora.targets = {list(targets)}: {target!r} is the embedding as well, which stays: leave it out"
            )


def check(model: Any, settings: Lora) -> None:
    """Raise UserError unless the adapter that a model came with is what the settings say."""
    scales = {low.scale for part in model.modules() if (low := adapter_of(part))}
    rank, scale = rank_of(model), (settings.alpha or 2 * settings.rank) / max(1, settings.rank)
    if rank != settings.rank or scales - {scale}:
        has = f"rank {rank}" + (f" and scale {next(iter(scales)):g}" if scales else "")
        wanted = f"rank {settings.rank} and scale {scale:g} (lora.alpha / lora.rank)"
        raise UserError(f"the adapter in model.path has {has}, and not {wanted}: set them so, or lora.rank = 0: merged")


def base_digest(model: nn.Module) -> str:
    """Return a digest of the weights without the adapter."""
    digest = hashlib.blake2b(digest_size=16)
    for name, parameter in sorted(model.named_parameters()):
        if "lora_" not in name:
            digest.update(name.replace(".base_layer.", ".").encode())
            digest.update(parameter.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def open_adapter(path: Path, base: str, open_base: Callable[[str], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Return peft's object of an adapter's folder, around its base, and the base's tokenizer.

    `open_base` opens model and tokenizer of the base. Raises Unfit.
    """
    try:
        peft = _peft()
        model, tokenizer = open_base(base)
        with _silently():
            return peft.PeftModel.from_pretrained(model, str(path), is_trainable=True), tokenizer
    except UserError as error:
        raise Unfit(f"it is an adapter of {base!r}: {error}") from error
    except Exception as error:  # peft and safetensors raise whatever comes
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise Unfit(f"peft cannot read this adapter ({reason}): give one that it can") from error


def save(path: Path, whole: Any) -> None:
    """Write an adapter as peft does. Raises UserError where its base has no folder and no name to be found by."""
    base = str(getattr(unwrapped(whole), "name_or_path", "") or "")
    if not base:
        raise UserError("cannot save an adapter of a model that was opened from nowhere: save the model first")
    [config] = whole.peft_config.values()
    config.base_model_name_or_path = str(Path(base).resolve()) if os.path.isdir(base) else base
    with _silently():
        whole.save_pretrained(str(path), save_embedding_layers=False)
    (path / "README.md").unlink(missing_ok=True)  # a model card with nothing in it


def merge(whole: Any) -> Any:
    """Return the transformers model with what the adapter adds in its weights, all of which train again."""
    with _silently():
        return whole.merge_and_unload().requires_grad_(True)


def export(whole: Any, tokenizer: Any, folder: Path) -> None:
    """Write a copy of the model with its adapter merged, and its tokenizer, as a plain folder of transformers.

    The model itself stays as it is, up to the rounding of adding the product to the weights and taking it out again:
    use it on one that was opened for this.
    """
    merged = merge(whole)
    merged.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
