"""A policy's folder: model and tokenizer in Hugging Face's format, and beside them what the learner needs to go on.

`learner.safetensors` holds AdamW's moments of every parameter by its name, and in its header the number of updates.
`reference/` holds the weights the run began with, where there is a KL term. With an adapter the folder is peft's: it
holds the adapter and names its base. Nothing is pickled.
Promises: what is read back is what was written, bit for bit; a folder that is missing, broken or of another model gives
a UserError of one line. Does not write atomically: its caller gives an empty folder and renames it.
"""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from absolute_zero.policy import lora
from absolute_zero.policy.learner import Learner
from absolute_zero.policy.opening import open_weights, quietly, readable
from absolute_zero.types import UserError

STATE = "learner.safetensors"
REFERENCE = "reference"
MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True, slots=True)
class State:
    """What the learner knows beside the weights: AdamW's moments by parameter, and the updates so far."""

    moments: dict[str, dict[str, Tensor]]
    updates: int
    base: str = ""
    """Digest of the weights under an adapter; empty without one, or where an older version saved it."""


@contextmanager
def saving() -> Generator[None]:
    """Write quietly; a full disk is an OSError here, as everything else that writes says it."""
    try:
        with quietly():
            yield
    except Exception as error:
        if type(error) in (SafetensorError, Exception):  # the plain one is what tokenizers raises
            raise OSError(str(error)) from error
        raise


def open_reference(path: Path) -> Any:
    """Return the model with the weights the run began with. Raises UserError if there is none."""
    if not (path / REFERENCE).is_dir():
        raise UserError(f"{str(path)!r} holds no reference model: it was saved with update.kl = 0; go on with that")
    with readable(path / REFERENCE):
        return open_weights(path / REFERENCE)


def save(path: Path, model: Any, tokenizer: Any, learner: Learner, base: str = "") -> None:
    """Write what `opening.open_model` and `open_state` need into an empty folder; `base` is the digest of what is under
    an adapter. Raises UserError for any other folder."""
    if not path.is_dir() or any(path.iterdir()):
        raise UserError(f"cannot save into {str(path)!r}: it has to be an empty folder")
    with saving():
        if lora.adapted(model):
            lora.save(path, model)
        else:
            model.save_pretrained(path)
        tokenizer.save_pretrained(path)
        if learner.reference is not None:
            reference: Any = learner.reference
            reference.save_pretrained(path / REFERENCE)
        state = learner.optimizer.state
        moments = {
            f"{moment}/{name}": state[parameter][moment].contiguous()
            for name, parameter in learner.model.named_parameters()
            if parameter in state
            for moment in MOMENTS
        }
        save_file(moments, path / STATE, {"updates": str(learner.updates), "base": base})


def open_state(path: Path, model: nn.Module) -> State:
    """Return the learner's state in a folder, for a model of the same parameters. Raises UserError."""
    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    moments: dict[str, dict[str, Tensor]] = {}
    with readable(path):
        with safe_open(path / STATE, framework="pt") as file:
            updates, base = int(file.metadata()["updates"]), file.metadata().get("base", "")
            for key in file.keys():  # noqa: SIM118 (it is no mapping)
                moment, _, name = key.partition("/")
                moments.setdefault(name, {})[moment] = file.get_tensor(key)
        for name, tensors in moments.items():
            if set(tensors) != set(MOMENTS) or any(tensors[m].shape != shapes[name] for m in MOMENTS[:2]):
                raise ValueError(f"{STATE} is not of this model: {name}")
    return State(moments, updates, base)


def restore(learner: Learner, state: State) -> None:
    """Give a fresh learner its state back."""
    device = learner.device
    for name, parameter in learner.model.named_parameters():
        if name in state.moments:
            learner.optimizer.state[parameter] = {
                # The count is on the device of the parameter, as the fused optimiser wants it.
                moment: value.to(device)
                for moment, value in state.moments[name].items()
            }
    learner.updates = state.updates
