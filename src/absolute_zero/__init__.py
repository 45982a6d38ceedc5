"""Absolute Zero: the open system for self-play reasoning with zero data.

One language model proposes tasks, solves them, and learns from both; an executor is the only teacher (Zhao et al.,
"Absolute Zero", arXiv 2505.03335). `__all__` is the public list. Importing this package imports nothing: a name comes
with its module when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from absolute_zero.components import open_components, open_policy
    from absolute_zero.config import Config, Section, as_toml, load
    from absolute_zero.executor import NoVerdict, Sandbox, judge_abduction, judge_deduction, judge_induction
    from absolute_zero.keys import Key
    from absolute_zero.ports import Components, Domain, Estimator, Executor, Policy, RewardTerm, TaskType
    from absolute_zero.rewards import Scale
    from absolute_zero.run import Run, open_model, play
    from absolute_zero.selfplay import solve, step
    from absolute_zero.store import Store
    from absolute_zero.training import train
    from absolute_zero.types import (
        AbsoluteZeroError,
        Completion,
        Grade,
        Identity,
        Job,
        Message,
        Outcome,
        Prompt,
        Proposal,
        ProposalRollout,
        Refusal,
        Result,
        Reward,
        Role,
        Rollout,
        Sample,
        Sampling,
        Status,
        Step,
        Task,
        UserError,
        Validation,
        Verdict,
    )

__version__ = "0.1.0"

_MODULES = {
    "components": "open_components open_policy",
    "config": "Config Section as_toml load",
    "executor": "NoVerdict Sandbox judge_abduction judge_deduction judge_induction",
    "keys": "Key",
    "ports": "Components Domain Estimator Executor Policy RewardTerm TaskType",
    "rewards": "Scale",
    "run": "Run open_model play",
    "selfplay": "solve step",
    "store": "Store",
    "training": "train",
    "types": "AbsoluteZeroError Completion Grade Identity Job Message Outcome Prompt Proposal ProposalRollout Refusal"
    " Result Reward Role Rollout Sample Sampling Status Step Task UserError Validation Verdict",
}
_HOME = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "AbsoluteZeroError", "Completion", "Components", "Config", "Domain", "Estimator", "Executor", "Grade", "Identity",
    "Job", "Key", "Message", "NoVerdict", "Outcome", "Policy", "Prompt", "Proposal", "ProposalRollout", "Refusal",
    "Result", "Reward", "RewardTerm", "Role", "Rollout", "Run", "Sample", "Sampling", "Sandbox", "Scale", "Section",
    "Status", "Step", "Store", "Task", "TaskType", "UserError", "Validation", "Verdict", "__version__", "as_toml",
    "judge_abduction", "judge_deduction", "judge_induction", "load", "open_components", "open_model", "open_policy",
    "play", "solve", "step", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """Return a public name from its module."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    """Return what there is to ask for."""
    return sorted({*globals(), *__all__})
