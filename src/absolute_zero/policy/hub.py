"""Where a model lies: the folder that a path means, or that a name on Hugging Face's hub is fetched into.

Promises: what is no model, and what cannot be fetched, is an `Unfit` with a reason of one line that says what to do;
what can be judged without the weights is fetched before them; what is in the cache needs no network.
Does not look into the files.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)

HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
HUB_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+).*|hf://([\w.-]+/[\w.-]+).*"
)
WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/].*|.*\\.*")
SMALL_FILES = ("*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
SUBFOLDERS = "*/*"
REMEDY = "give a folder in Hugging Face's format, or a name on its hub such as Qwen/Qwen2.5-Coder-0.5B"


class Unfit(ValueError):
    """Why something is no model that can be trained here, and what to do: one line."""


def on_hub(path: str | Path) -> bool:
    """Return whether a path is a name on the hub: what lies, by its name, in a folder that is here is not."""
    folder = Path(path)
    # pathlib's own test raises where a folder may not be entered.
    local_parent = folder.parent.name and os.path.isdir(folder.parent)
    return isinstance(path, str) and bool(HUB_NAME.fullmatch(path)) and not local_parent and not os.path.exists(folder)


def local_folder(path: str | Path) -> Path:
    """Return the folder that a path means. Raises Unfit if there is none."""
    folder = Path(os.path.expanduser(path))
    if os.path.isdir(folder) and str(path).strip():
        return folder
    if os.path.isfile(folder):
        if folder.suffix == ".gguf":
            raise Unfit("a GGUF file is for inference with llama.cpp: give the folder of the model it was made from")
        raise Unfit(
            f"it is a file: give the folder that holds config.json, weights and tokenizer, such as {folder.parent}"
        )
    raise Unfit(_absent(str(path)))


def _absent(path: str) -> str:
    """Return why there is no folder at a path."""
    if address := HUB_ADDRESS.fullmatch(path.strip()):
        return f"it is an address: give the name alone, {address[1] or address[2]}"
    if not path.strip():
        return f"it is empty: {REMEDY}"
    if path != path.strip():
        return f"there is no such folder: take away the spaces around {path.strip()!r}"
    if WINDOWS_PATH.fullmatch(path):
        return "there is no such folder: it is a path of Windows; in WSL C:\\models is /mnt/c/models"
    return f"there is no such folder, or it may not be entered: {REMEDY}"


def fetch(name: str, patterns: Sequence[str] = SMALL_FILES) -> Path:
    """Return the folder in the cache with the files of a model on the hub that match. Raises Unfit if it cannot be."""
    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns), ignore_patterns=[SUBFOLDERS]))
    except Exception as error:  # of the hub, of the network, of the disk: some are of the http client, which may change
        raise Unfit(_unfetched(name, error)) from error


def fetch_weights(name: str, folder: Path, files: Sequence[str], say: Callable[[str], object]) -> None:
    """Fetch a model's files of weights into its folder in the cache, if they are not there. Raises Unfit."""
    if absent := [file for file in files if not (folder / file).is_file()]:
        say(f"fetching the weights of {name} ({len(absent)} of {len(files)} files)")
        fetch(name, absent)


def _unfetched(name: str, error: Exception) -> str:
    """Return why a name could not be fetched, and what to do."""
    address = f"https://huggingface.co/{name}"
    if isinstance(error, GatedRepoError):
        return f"it is gated: ask for access at {address}, then log in (hf auth login, or HF_TOKEN)"
    if isinstance(error, RepositoryNotFoundError):
        return (
            "there is no such folder, and the hub shows no such model: check the name, or, if it is private, log in"
            " (hf auth login, or HF_TOKEN)"
        )
    if isinstance(error, HFValidationError):
        return f"there is no such folder, and the hub takes no such name: {REMEDY}"
    if isinstance(error, (OfflineModeIsEnabled, LocalEntryNotFoundError)):
        whole = "there is no such folder, and in the cache of the hub the model is not, or not whole;"
        if constants.HF_HUB_OFFLINE:
            return f"{whole} HF_HUB_OFFLINE forbids to fetch it: unset that, or give a folder"
        return f"{whole} the hub cannot be reached: check the network, or give a folder"
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
    return f"it could not be fetched from the hub ({reason}): check network and disk, or give a folder"
