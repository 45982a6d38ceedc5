"""Opening a model and its tokenizer: a folder in Hugging Face's format, or a name on its hub.

Promises: what comes back fits together and can be trained: every weight is there, finite and of its shape, each token
has an embedding, every end token is a token, and a text of code survives the tokenizer; all else is a UserError of one
line that says what is wrong and what to do, before anything else is begun. No code of a folder is ever run, and nobody
is asked. What is worth knowing and no error goes to `say`, a line each.
Does not judge how good a model is, nor whether prompts fit its context.

Shapes: B texts, T tokens, V vocabulary.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import json
import math
import re
import sys
from collections.abc import Callable, Generator, Mapping, Sequence, Set
from contextlib import contextmanager, nullcontext
from logging import CRITICAL, getLogger
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from tokenizers import Tokenizer
from torch.nn import functional as F
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast
from transformers.utils import logging

from absolute_zero.policy import hub, lora, model_files
from absolute_zero.policy.hub import Unfit
from absolute_zero.policy.model_files import AGAIN, CONFIG, GENERATION, PICKLED, SAFE
from absolute_zero.policy.transformer import supported
from absolute_zero.types import UserError

PROBE = (
    "Task 42: x² + 3.14\n```python\ndef f(xs, n=10):\n    if n > 0 and xs:\n\t\treturn [x  for x in xs if x != 'Aa']\n"
    "    return {'über': '漢字 → 🙂'}  # ok\n```\n\n<think> a  b , c </think>\n<answer>\n[1, -2]\n</answer>"
)
"""What a tokenizer has to give back as it was: code with its spaces, tags, fences, digits, letters of other scripts."""
FOLDED = " e\u0301 \ufb01"
"""Letters that are often folded into others, and harmlessly."""
LIKELY = "def f(x):\n    return x + 1\n"
"""What a model that ever saw code finds likelier than chance."""
USED = 0.95
"""The share of embeddings that a model's own tokenizer uses, at least; the rest is padding."""
SAMPLED = ("temperature", "top_k", "top_p", "min_p", "typical_p", "repetition_penalty", "no_repeat_ngram_size")
"""Settings of a generation config that would change what is sampled, and are not used here."""
SENSE = re.compile(r"image|audio|video|vision|speech|soft_token", re.IGNORECASE)
TOKENIZER_FILES = ("tokenizer.json", "*.model", "vocab*", "*.tiktoken", "tekken.json")


def nothing(line: str) -> None:
    """Say nothing."""


@contextmanager
def readable(path: str | Path) -> Generator[None]:
    """Turn what does not fit, and what transformers and safetensors raise for a broken folder, into one line."""
    try:
        yield
    except (UserError, MemoryError):
        raise
    except Unfit as error:
        raise UserError(f"cannot open the model {str(path)!r}: {error}") from error
    except Exception as error:  # whatever a library raises for what a folder holds: tokenizers raises Exception itself
        raise UserError(f"cannot open the model {str(path)!r}: {_reason(error)}") from error


@contextmanager
def quietly() -> Generator[None]:
    """Silence progress bars, and the logs of transformers and the hub.

    Our folders are written and read at once, in the middle of somebody's screen; what fails is one line of ours.
    """
    shown, client = logging.is_progress_bar_enabled(), getLogger("huggingface_hub")
    level, verbosity = client.level, logging.get_verbosity()
    logging.disable_progress_bar()
    client.setLevel(CRITICAL)
    logging.set_verbosity(CRITICAL)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        client.setLevel(level)
        if shown:
            logging.enable_progress_bar()


def open_model(path: str | Path, say: Callable[[str], object] = nothing) -> tuple[Any, Any]:
    """Return model (in float32) and tokenizer of a folder in Hugging Face's format, or of a name on its hub.

    Raises UserError. What lies, by its name, in a folder that is here is not looked for on the hub.
    """
    with readable(path):
        named = hub.on_hub(path)
        with quietly():
            folder = hub.fetch(str(path)) if named else hub.local_folder(path)
        if base := model_files.adapter_base(folder):
            model, tokenizer = lora.open_adapter(folder, base, lambda name: open_model(name, say))
            if _holds_tokenizer(folder):
                tokenizer = open_tokenizer(folder)
                _check_ends(lora.unwrapped(model), tokenizer, {*_check_tokens(model, tokenizer, say).values()}, say)
            return model, tokenizer
        check_config(folder)
        tokenizer = open_tokenizer(folder)
        if named:
            _fetch_weights(str(path), folder, say)
        model = open_weights(folder, say)
        vocabulary = _check_tokens(model, tokenizer, say)
        _check_ends(model, tokenizer, {*vocabulary.values()}, say)
        if not supported(model) or len(vocabulary) < USED * _rows(model):
            _check_forward(model, tokenizer, say)
        if named:
            model.config._name_or_path = model.name_or_path = str(path)
        return model, tokenizer


def eos_ids(model: Any, tokenizer: Any) -> list[int]:
    """Return every token id that ends a text, by what the model and the tokenizer say."""
    return sorted({token for tokens in _ends(model, tokenizer).values() for token in tokens})


def _ends(model: Any, tokenizer: Any) -> Mapping[str, Sequence[Any]]:
    """Return the end tokens by who names them."""
    sources = {
        GENERATION: getattr(model, "generation_config", None),
        CONFIG: model.config,
        "the tokenizer": tokenizer,
    }
    listed = {name: getattr(source, "eos_token_id", None) for name, source in sources.items()}
    whole = {name: tokens if isinstance(tokens, list) else [tokens] for name, tokens in listed.items()}
    return {name: [token for token in tokens if token is not None] for name, tokens in whole.items()}


def check_config(folder: Path) -> None:
    """Raise Unfit unless a folder's configuration is of a causal language model, and one that transformers takes."""
    model_files.check_config(folder)
    for name, config, remedy in (
        (CONFIG, AutoConfig, AGAIN),
        (GENERATION, GenerationConfig, "mend or delete that file"),
    ):
        try:
            if (folder / name).exists():
                with quietly():
                    config.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        except Exception as error:  # of strict dataclasses, and whatever a family's own checks raise
            raise Unfit(f"{name} is broken ({_reason(error)}): {remedy}") from error


def _reason(error: Exception) -> str:
    """Return what an error of a library says, on one line: the first line is often a heading only."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:200]


# --- weights ------------------------------------------------------------------------------------------------


def _fetch_weights(name: str, folder: Path, say: Callable[[str], object]) -> None:
    """Fetch the weights of a model on the hub, safetensors before pickled ones; with a bar in a terminal."""
    with nullcontext() if sys.stderr.isatty() else quietly():
        indexed = (folder / (SAFE + model_files.INDEX)).is_file()
        hub.fetch_weights(name, folder, model_files.weight_files(folder) if indexed else [SAFE], say)
        if not indexed and not (folder / SAFE).is_file():
            hub.fetch_weights(name, folder, model_files.weight_files(folder) or [PICKLED], say)


def open_weights(folder: Path, say: Callable[[str], object] = nothing) -> Any:
    """Return the model in a folder, in float32. Raises Unfit, or what transformers raises, if it is not whole."""
    check_config(folder)
    model_files.check_weights(folder)
    try:
        with quietly():
            opened: Any = AutoModelForCausalLM.from_pretrained(
                folder, dtype=torch.float32, trust_remote_code=False, local_files_only=True, output_loading_info=True,
                ignore_mismatched_sizes=True,
            )  # fmt: skip
    except UnpicklingError as error:
        raise Unfit(f"{PICKLED} is broken, or holds more than tensors, which is never run: give safetensors") from error
    except Exception as error:  # of the family's own code, for settings that make no sense
        raise Unfit(f"transformers cannot load it ({_reason(error)}): mend {CONFIG}, or {AGAIN}") from error
    model, loaded = opened
    wrong = sorted(loaded["mismatched_keys"])  # transformers goes on with random numbers there, as where one is missing
    if wrong:
        name, stored, expected = wrong[0]
        shapes = f"{name} has the shape {[*stored]} there, and {[*expected]} by config.json"
        raise Unfit(f"config.json does not fit the weights ({shapes}): put the right one beside them")
    if missing := sorted(loaded["missing_keys"]):
        raise Unfit(f"weights are missing ({_listed(missing)}): {AGAIN}")
    _check_unexpected(model, sorted(loaded["unexpected_keys"]), say)
    for name, parameter in model.named_parameters():
        if not math.isfinite(parameter.detach().sum()):  # one pass: what is not finite stays so in a sum
            raise Unfit(f"its weights are broken ({name} holds NaN or infinity): {AGAIN}")
    return model


def _check_unexpected(model: Any, names: Sequence[str], say: Callable[[str], object]) -> None:
    """Refuse weights of more layers than the configuration has; say what else is left out."""
    shapes = {re.sub(r"\d+", "N", name) for name, _ in model.named_parameters()}
    layers = [name for name in names if re.sub(r"\d+", "N", name) in shapes]
    if layers or len(names) > len(shapes):
        left = (layers or names)[0]
        raise Unfit(f"{CONFIG} has fewer layers than the weights ({left} is left over): put the right one there")
    if names:
        say(f"left out, as {type(model).__name__} has no such weights: {_listed(names)}")


def _listed(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


# --- tokenizer ----------------------------------------------------------------------------------------------


def open_tokenizer(folder: Path) -> Any:
    """Return the tokenizer in a folder, as its tokenizer.json has it. Raises Unfit unless it keeps a text of code."""
    code = model_files.read_json(folder, "tokenizer_config.json").get("auto_map")
    absent = not _holds_tokenizer(folder)
    remedy = "put tokenizer.json and tokenizer_config.json there, from the model that it was trained from"
    try:
        with quietly():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
            # For some types of model transformers builds its own splitting and normalising over the vocabulary, and
            # adds tokens of its own; the model was trained on what the file says.
            if type(tokenizer) is not PreTrainedTokenizerFast and (folder / "tokenizer.json").exists():
                core = Tokenizer.from_file(str(folder / "tokenizer.json"))
                core.no_truncation()
                core.no_padding()
                apart = encoded(tokenizer, PROBE + FOLDED) != core.encode(PROBE + FOLDED, add_special_tokens=False).ids
                if apart or len(tokenizer) > core.get_vocab_size():
                    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers raises Exception itself
        if absent:
            raise Unfit(f"it holds no tokenizer: {remedy}") from error
        if code:
            raise Unfit(
                "its tokenizer is code of its own, which is never run: give one with a tokenizer.json"
            ) from error
        if not (folder / "tokenizer.json").exists():
            needs = "pip install sentencepiece protobuf tiktoken, or put a tokenizer.json there"
            raise Unfit(f"its tokenizer could not be built without a tokenizer.json: {needs}") from error
        raise Unfit(f"its tokenizer is broken ({_reason(error)}): {remedy}") from error
    kept = decoded(tokenizer, encoded(tokenizer, PROBE))
    if kept != PROBE and absent:
        raise Unfit(f"it holds no tokenizer: {remedy}")
    if kept != PROBE:
        first = next(
            (i for i, (a, b) in enumerate(zip(PROBE, kept, strict=False)) if a != b), min(len(PROBE), len(kept))
        )
        lost, back = PROBE[max(0, first - 8) : first + 12], kept[max(0, first - 8) : first + 12]
        raise Unfit(
            f"its tokenizer loses text ({lost!r} comes back as {back!r}): code needs one that keeps every letter"
        )
    return tokenizer


def _holds_tokenizer(folder: Path) -> bool:
    return any(path for pattern in TOKENIZER_FILES for path in folder.glob(pattern))


def encoded(tokenizer: Any, text: str) -> list[int]:
    """Return the tokens of a text alone."""
    return [*tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]


def decoded(tokenizer: Any, tokens: Sequence[int]) -> str:
    """Return the text of tokens as it stands."""
    return tokenizer.decode([*tokens], skip_special_tokens=False, clean_up_tokenization_spaces=False)


# --- both together ------------------------------------------------------------------------------------------


def _check_tokens(model: Any, tokenizer: Any, say: Callable[[str], object]) -> Mapping[str, int]:
    """Return the tokenizer's entries, all of which have an embedding. Raises Unfit for a tokenizer of a larger model.

    Marks of pictures and sounds, which the text-only sizes of some models have no embedding for, are taken out of the
    tokenizer: they are text like any other then.
    """
    rows, vocabulary = _rows(model), tokenizer.get_vocab()
    beyond = sorted((number, text) for text, number in vocabulary.items() if number >= rows)
    if not beyond:
        return vocabulary
    if tokenizer.is_fast and all(SENSE.search(text) for _, text in beyond):
        core = json.loads(tokenizer.backend_tokenizer.to_str())
        core["added_tokens"] = [token for token in core["added_tokens"] if token["id"] < rows]
        if len(core["model"]["vocab"]) <= rows:
            tokenizer._tokenizer = Tokenizer.from_str(json.dumps(core))
            say(f"read as plain text, as the model has no embedding for it: {_listed([text for _, text in beyond])}")
            return tokenizer.get_vocab()
    number, text = beyond[-1]
    raise Unfit(
        f"its tokenizer has tokens up to {number} ({text!r}), and the model {rows} embeddings: give the tokenizer that"
        " it was trained with, or model.resize_token_embeddings(len(tokenizer)) and train those"
    )


def _check_ends(model: Any, tokenizer: Any, known: Set[int], say: Callable[[str], object]) -> None:
    """Refuse end tokens that are not known; say it if there are none, and what else generation_config.json asks for."""
    ends = _ends(model, tokenizer)
    for source, tokens in ends.items():
        for token in tokens:
            if not isinstance(token, int) or token not in known:
                raise Unfit(
                    f"its end token {token!r} (eos_token_id of {source}) is no token of its tokenizer, which has"
                    f" {len(known)}: mend one of them"
                )
    if not any(ends.values()):
        say("the model names no end token: an answer ends at a stop string, or at sampling.max_tokens")
    generation: Any = getattr(model, "generation_config", None)
    asked = {name: getattr(generation, name, None) for name in SAMPLED}
    neutral = (None, 0, 1, 50) if getattr(generation, "do_sample", None) else (None, 0, 1)
    ignored = [f"{name} {value}" for name, value in asked.items() if value not in neutral]
    if ignored:
        say(f"{GENERATION} asks for {', '.join(ignored)}: not used, sampling is as the settings say (sampling.*)")


def _check_forward(model: Any, tokenizer: Any, say: Callable[[str], object]) -> None:
    """Refuse a model that looks ahead, or gives no numbers; say it if code is no likelier to it than chance.

    It costs as much as opening a tokenizer again, and is left out where `supported` knows the family to be causal and
    the sizes agree.
    """
    tokens = encoded(tokenizer, LIKELY)[:12]
    other = [*tokens[:-1], (tokens[-1] + 1) % _rows(model)]
    with quietly(), torch.inference_mode():
        logits_BTV = model(torch.tensor([tokens, other])).logits.float()
    if not torch.isfinite(logits_BTV).all():
        raise Unfit(f"its weights give no numbers for {LIKELY!r}: {AGAIN}")
    before_BTV = logits_BTV[:, :-1]
    if not torch.allclose(before_BTV[0], before_BTV[1], rtol=0, atol=1e-5 * float(before_BTV.abs().max())):
        raise Unfit("it sees what comes after a token, and so cannot write on: give a causal language model")
    surprise = float(F.cross_entropy(before_BTV[0], torch.tensor(tokens[1:])))
    if surprise > (chance := math.log(logits_BTV.shape[-1])):
        say(
            f"code is less likely to the model than chance ({surprise:.1f} nats a token, chance is {chance:.1f}): is it"
            " trained, and is the tokenizer its own?"
        )


def _rows(model: Any) -> int:
    """Return how many tokens have both an embedding and a logit."""
    heads = (model.get_input_embeddings(), model.get_output_embeddings())
    return min(head.weight.shape[0] for head in heads if head is not None)
