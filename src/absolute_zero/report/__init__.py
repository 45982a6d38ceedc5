"""A run as one page: `report.html` tells what was gained, how it was learned, and shows what the model wrote.

Promises: one file that needs no network, in light and dark, on paper and on a phone; equal runs give equal bytes but
for the times in them; it can be written at any moment of a run, and says in one line why a part is empty; nothing
that a model wrote becomes markup. Does not change the run: it reads the store, `config.json` and `result.json`.

`figures` turns the store into series, `statistics` gives them intervals, `charts` draws, `markup` escapes; `headline`,
`sections` and `transcripts` are the parts of the page, and `page` puts it together. Standard library only. Floor 5.
"""

from absolute_zero.report.page import write_report

__all__ = ["write_report"]
