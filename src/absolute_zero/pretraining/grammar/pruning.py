"""What statements read and write, and which of them nobody needs.

Promises: a pruned body returns what the whole one does, up to exceptions in what was dropped. Standard library.
"""

from absolute_zero.pretraining.grammar.statements import (
    Assign,
    Block,
    Change,
    Return,
    Statement,
    Unpack,
    Update,
    statements_in,
)
from absolute_zero.pretraining.grammar.trees import names_in


def written_by(statement: Statement) -> set[str]:
    """Return the variables to which a statement, with all inside it, gives values."""
    names: set[str] = set()
    for inner in statements_in([statement]):
        if isinstance(inner, Assign | Update | Change):
            names.add(inner.name)
        elif isinstance(inner, Unpack):
            names.update(inner.names)
    return names


def read_by(block: Block) -> set[str]:
    """Return the variables that statements read."""
    names: set[str] = set()
    for statement in statements_in(block):
        names.update(*map(names_in, statement.parts), {statement.name} if isinstance(statement, Change) else ())
    return names


def pruned(block: Block) -> list[Statement]:
    """Return the block without the statements whose results nobody reads."""
    kept: list[Statement] = []
    live: set[str] = set()
    for statement in reversed(block):
        returns = any(isinstance(inner, Return) for inner in statements_in([statement]))
        if returns or written_by(statement) & live:
            if isinstance(statement, Assign):
                live.discard(statement.name)
            live |= read_by([statement])
            kept.append(statement)
    return kept[::-1]
