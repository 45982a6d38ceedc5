"""Every program of the corpus, in the order of its number. What it must come to is written beside it."""

from . import cases_escapes, cases_forged, cases_native, cases_process, cases_resources, cases_values
from .table import Case

CASES: tuple[Case, ...] = tuple(
    sorted(
        cases_resources.CASES
        + cases_values.CASES
        + cases_escapes.CASES
        + cases_forged.CASES
        + cases_native.CASES
        + cases_process.CASES,
        key=lambda case: case.name,
    )
)

HONEST = "def f(x):\n    return x * 2\n"
"""Must answer 42 to 21 after whatever came before."""
