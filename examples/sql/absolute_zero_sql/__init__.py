"""SQL over SQLite as a domain of Absolute Zero, written against its public ports only.

domain     the domain: what the entry point `sql` gives
rows       deduction: tables and a query, which rows?
tables     abduction: a query and rows, which tables?
query      induction: tables with their rows, which query?
values     tables and rows as text
queries    queries as text: what is let in, and when two are alike
executor   SQLite in processes of its own (`worker` is what runs in them)
probing    how a query behaves on tables that differ a little
scripted   a policy that plays in a small world and learns
"""

from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
TEMPLATES: Final = HERE / "templates"
"""The template set `sql`."""
SQL_TINY: Final = HERE / "recipes" / "sql-tiny.toml"
"""The recipe `sql-tiny`."""
