"""Numbers, truths and plain data of other libraries, such as NumPy's, as Python's own.

Promises: what is Python's own comes back as it is; what stands for none comes back as None, or is a ValueError where
that says more. Imports none of those libraries, and raises nothing else. Floor 0, standard library.
"""

import json
import numbers
import operator
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from absolute_zero.types import Grade

DEEPEST: Final = 100
"""Levels of plain data, one in the other, at most: JSON is read by recursion."""
_BITS: Final = 4096
"""Python writes out no whole number that is much larger."""


def number(part: object) -> int | float | None:
    """Return a real number as Python's own; None for what is none, such as a truth or a text.

    >>> from fractions import Fraction
    >>> number(Fraction(1, 2)), number(3), number(True), number("1")
    (0.5, 3, None, None)
    """
    if type(part) is float or type(part) is int:
        return part
    strange = isinstance(part, str | bytes | bytearray) or is_truth(part)
    if strange or (isinstance(part, numbers.Complex) and not isinstance(part, numbers.Real)):
        return None
    for convert in (operator.index, float):
        try:
            return convert(cast("Any", part))
        except Exception:  # whatever a class raises that cannot be one
            continue
    return None


def is_truth(part: object) -> bool:
    """Return whether this is True or False, of Python or of NumPy."""
    return isinstance(part, bool) or (type(part).__module__ == "numpy" and type(part).__name__ in ("bool", "bool_"))


def grade(result: object) -> object:
    """Return a grade with its score as Python's own number; all else as it is."""
    if isinstance(result, Grade) and type(result.score) not in (int, float):
        score = number(result.score)
        return result if score is None else replace(result, score=score)
    return result


def metrics(result: object) -> object:
    """Return numbers by name as Python's own; what is no number as it is."""
    if not isinstance(result, Mapping):
        return result
    table = cast("Mapping[object, object]", result)
    own = {name: number(value) for name, value in table.items()}
    return {name: table[name] if value is None else value for name, value in own.items()}


def data(part: object, depth: int = 0) -> Any:
    """Return plain data as JSON gives it back: lists for tuples, texts for keys. Raises ValueError with what was due.

    >>> data({1: (2, None)})
    {'1': [2, None]}
    """
    if depth > DEEPEST:
        raise ValueError(f"data nested more than {DEEPEST} deep")
    if part is None or isinstance(part, bool | str):
        return part
    if isinstance(part, Mapping):
        names: dict[str, Any] = {}
        for key, value in cast("Mapping[object, object]", part).items():
            name = _key(key)
            if name in names:
                raise ValueError(f"two keys that are both {name!r} as texts")
            names[name] = data(value, depth + 1)
        return names
    if isinstance(part, list | tuple):
        return [data(item, depth + 1) for item in cast("list[object]", part)]
    own = bool(part) if is_truth(part) else number(part)
    if isinstance(own, int) and own.bit_length() > _BITS:
        raise ValueError(f"a whole number of {own.bit_length()} bits")
    if own is None:
        raise ValueError(f"{type(part).__name__}, which JSON does not have")
    return own


def _key(key: object) -> str:
    if isinstance(key, str):
        return key
    own = key if key is None or isinstance(key, bool) else number(key)
    if own is None and key is not None:
        raise ValueError(f"a key that is {type(key).__name__} where a text was due")
    return json.dumps(own)
