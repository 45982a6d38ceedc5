"""The worked examples of the domain `python` are what the grammar writes, and say no more than they may."""

import json
from importlib.resources import files

from absolute_zero.domains.python.payload import KINDS
from absolute_zero.pretraining.worked import PER_SLOT, rows
from absolute_zero.types import Role

FILE = files("absolute_zero.domains.python") / "worked.jsonl"


def test_the_file_is_what_the_grammar_writes() -> None:
    """`python -m absolute_zero.pretraining.worked > src/absolute_zero/domains/python/worked.jsonl`."""
    assert [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()] == list(rows())


def test_every_kind_and_role_has_its_examples() -> None:
    slots = [(row["role"], row["kind"]) for row in rows()]
    assert sorted(slots) == sorted((role.value, kind) for role in Role for kind in KINDS for _ in range(PER_SLOT))
