"""Settings that had another name: what messages and stored runs of earlier versions need to know.

Floor 0; imports nothing.
"""

from collections.abc import Mapping
from typing import Final

SETTINGS: Final[Mapping[str, str]] = {
    "checkpoint_every": "checkpoints.every",
    "propose.inputs": "python.inputs",
    "propose.message_characters": "python.message_characters",
    "solve.induction": "python.induction",
    "solve.lam": "solve.solver_weight",
    "solve.reuse_trials": "solve.reuse_difficulty",
    "solve.trials": "solve.n_difficulty",
    "solve.tries": "solve.n_practice",
}
"""Old key to new key, sections before the dot."""
