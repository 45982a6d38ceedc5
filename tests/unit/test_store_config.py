"""The settings of a stored run: those of schema 1 under the names of today."""

import json
from pathlib import Path

from absolute_zero.store import migrate_config

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "schema1"


def test_settings_of_the_run() -> None:
    text = (FIXTURE / "config.json").read_text()
    stored = json.loads(text)
    migrated = migrate_config(stored)
    assert stored == json.loads(text)
    assert migrated == {
        **{name: value for name, value in stored.items() if name != "checkpoint_every"},
        "domain": "python",
        "checkpoints": {"every": 1},
        "propose": {"batch": 2, "references": 2, "choice": "uniform"},
        "solve": {
            "n_difficulty": 2, "n_practice": 8, "reuse_difficulty": True, "practice": "learnable",
            "solver_weight": 16.0,
        },
        "python": {"inputs": 4, "message_characters": 120, "induction": "binary"},
    }  # fmt: skip
    assert migrate_config(migrated) == migrated


def test_settings_that_are_new_already_win() -> None:
    new = {"domain": "sql", "solve": {"n_difficulty": 3}, "kinds": ["a"]}
    assert migrate_config(new) == new
    assert migrate_config({**new, "solve": {"trials": 8, "n_difficulty": 3}}) == new
    assert migrate_config({"solve": 7}) == {"solve": 7, "domain": "python"}
