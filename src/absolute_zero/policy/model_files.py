"""What the files of a model's folder say before any weight is read: whether it can be opened and trained here.

Promises: a folder that holds no causal language model, whole and unquantised, is an `Unfit` with a reason of one line;
nothing of the folder is run, and nothing is unpickled. Does not load weights, nor judge the tokenizer.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import transformers
from safetensors import SafetensorError, safe_open
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

from absolute_zero.policy.hub import REMEDY, Unfit

CONFIG, GENERATION, ADAPTER = "config.json", "generation_config.json", "adapter_config.json"
SAFE, PICKLED = "model.safetensors", "pytorch_model.bin"
INDEX = ".index.json"
FLOATS = ("F64", "F32", "F16", "BF16")
QUANTISED = "give the model that it was made from, in 16 or 32 bits"
QUANTISATION_KEYS = ("quantization_config", "compression_config", "quantization")
QUANTISATION_FILES = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
SENSES = ("vision_config", "audio_config", "speech_config", "visual")
LFS = b"version https://git-lfs"
AGAIN = "fetch the folder again"


def read_json(folder: Path, name: str) -> dict[str, Any]:
    """Return the object in a JSON file, or an empty one if there is no such file. Raises Unfit for anything else."""
    if not os.path.exists(folder / name):
        return {}
    try:
        values: object = json.loads((folder / name).read_bytes())
    except (ValueError, RecursionError) as error:
        raise Unfit(f"{name} is no JSON ({error}): {AGAIN}") from error
    if not isinstance(values, dict):
        raise Unfit(f"{name} holds no JSON object: {AGAIN}")
    return cast("dict[str, Any]", values)


def adapter_base(folder: Path) -> str | None:
    """Return the path or name of the model that an adapter's folder is for; None for a folder without an adapter.

    Raises Unfit for an adapter that names no base, and for one beside a whole model, where either could be meant.
    """
    if not os.path.exists(folder / ADAPTER):
        return None
    if os.path.exists(folder / CONFIG):
        raise Unfit(
            f"an adapter ({ADAPTER}) lies beside a whole model ({CONFIG}), and it is not clear which is meant: keep"
            " each in a folder of its own"
        )
    base = read_json(folder, ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise Unfit(
            f"it is an adapter whose {ADAPTER} has no base_model_name_or_path: write there what it was trained on"
        )
    return base


def check_config(folder: Path) -> None:
    """Raise Unfit unless the folder's configuration is of a causal language model in floating point."""
    if not os.path.exists(folder / CONFIG):
        raise Unfit(_no_config(folder))
    config = read_json(folder, CONFIG)
    _check_quantisation(folder, config)
    _check_type(config)
    read_json(folder, GENERATION)


def weight_files(folder: Path) -> list[str]:
    """Return the names of a folder's files of weights, as transformers would choose them.

    For a folder with an index it is those that the index names, which may be missing; [] if there are none at all.
    """
    for name in (SAFE, PICKLED):
        if os.path.exists(folder / name):
            return [name]
        index = read_json(folder, name + INDEX)
        if index:
            files: object = index.get("weight_map")
            if not isinstance(files, dict) or not all(isinstance(file, str) for file in files.values()):
                raise Unfit(f"{name}{INDEX} has no weight_map: {AGAIN}")
            return sorted(set(files.values()))
    return []


def check_weights(folder: Path) -> None:
    """Raise Unfit unless all files of weights are there, whole, and in floating point. Reads their headers only."""
    files = weight_files(folder)
    if not files:
        raise Unfit(_no_weights(folder))
    missing = [file for file in files if not os.path.exists(folder / file)]
    if missing:
        raise Unfit(f"{missing[0]} is missing ({len(missing)} of {len(files)} files of weights): {AGAIN}")
    for file in files:
        with (folder / file).open("rb") as opened:
            if opened.read(len(LFS)) == LFS:
                raise Unfit(f"{file} is a pointer of git lfs and no weights: run git lfs pull there")
        if file.endswith(".safetensors"):
            _check_header(folder, file)


def _check_header(folder: Path, file: str) -> None:
    try:
        with safe_open(folder / file, framework="pt") as tensors:
            kinds = {name: tensors.get_slice(name).get_dtype() for name in tensors.keys()}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise Unfit(f"{file} is not whole ({error}): {AGAIN}") from error
    for name, kind in kinds.items():
        if name.endswith(".weight") and kind not in FLOATS:
            raise Unfit(f"its weights are quantised ({name} is {kind}): {QUANTISED}")


def _check_quantisation(folder: Path, config: Mapping[str, Any]) -> None:
    inner: object = config.get("text_config")
    configs = [config, cast("Mapping[str, Any]", inner)] if isinstance(inner, Mapping) else [config]
    listed = [values[key] for values in configs for key in QUANTISATION_KEYS if values.get(key) is not None]
    listed += [read_json(folder, name) or name for name in QUANTISATION_FILES if os.path.exists(folder / name)]
    if listed:
        first: Any = listed[0]
        method = first.get("quant_method") if isinstance(first, Mapping) else None
        if not method and isinstance(first, Mapping):
            short = (f"{key}={value}" for key, value in first.items() if isinstance(value, str | int) and value)
            method = ", ".join([*short][:3])
        raise Unfit(
            f"it is quantised ({method or 'by a method it does not name'}), and cannot be trained so: {QUANTISED}"
        )


def _check_type(config: Mapping[str, Any]) -> None:
    """Raise Unfit unless transformers itself has a causal language model for this configuration."""
    kind, code = config.get("model_type"), config.get("auto_map")
    if not isinstance(kind, str):
        raise Unfit(f"{CONFIG} has no model_type: {REMEDY}")
    version = f"transformers {transformers.__version__}"
    if kind not in CONFIG_MAPPING:
        if code:
            raise Unfit(
                f"it is made of code of its own (model_type {kind!r}), which is never run, and {version} has none for"
                " it: take a newer transformers, or another model"
            )
        raise Unfit(f"{version} knows no model_type {kind!r}: take a newer transformers, or another model")
    listed: object = config.get("architectures")
    architectures = [str(name) for name in listed] if isinstance(listed, list) else []
    label = ", ".join(architectures) or kind
    senses = [key for key in SENSES if config.get(key)]
    if senses:
        raise Unfit(f"it is for more than text ({label} has a {senses[0]}): give a language model of text alone")
    own = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.get(kind)
    known = any(name.endswith(("ForCausalLM", "LMHeadModel")) or name == own for name in architectures)
    if own is None or config.get("is_encoder_decoder") or (architectures and not known):
        raise Unfit(
            f"it is no causal language model ({label}): give one that continues a text, such as a ...ForCausalLM"
        )


def _no_config(folder: Path) -> str:
    """Return what a folder without a configuration may be instead."""
    if os.path.exists(folder / "run.db"):
        numbers = [path for path in (folder / "checkpoints").glob("*") if path.name.isdecimal()]
        newest = max(numbers, key=lambda path: int(path.name), default=folder / "checkpoints" / "N")
        return f"it is the folder of a run: give one of its checkpoints, such as {newest}"
    deeper = sorted([*folder.glob("*/" + CONFIG), *folder.glob("snapshots/*/" + CONFIG)], key=os.path.getmtime)
    if deeper:
        return f"it holds no {CONFIG}: give {deeper[-1].parent}"
    if any(folder.glob("*.gguf")):
        return f"it holds GGUF files, which are for inference with llama.cpp: {QUANTISED}"
    return f"it holds no {CONFIG}: {REMEDY}"


def _no_weights(folder: Path) -> str:
    """Return what a folder without weights holds instead."""
    if shards := sorted(path.name for path in folder.glob("*-of-*.safetensors")):
        return f"{SAFE}{INDEX} is missing beside {shards[0]}: {AGAIN}"
    if any(folder.glob("*.gguf")):
        return f"its weights are GGUF files, which are for inference with llama.cpp: {QUANTISED}"
    return f"it holds no weights ({SAFE}): {AGAIN}"
