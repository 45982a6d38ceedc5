"""Is a proposed program a task at all, and is it one that we have? What validation needs to know (paper section 3.3).

`forms` says which programs are equal, `questions` what a program is asked, `behaviour` what follows from its answers.

Promises: pure functions of text and of what the sandbox returned; nothing of a program is run here. Behaviours
compare over a whole run, as programs of the same types are asked the same. Does not promise that different
behaviours are different ideas: there is no end of straight lines. Keeps no record; that is `absolute_zero.buffer`.
Floor 2.
"""

from absolute_zero.domains.python.novelty.behaviour import Facts, arguments_of, bound, digest, facts, written
from absolute_zero.domains.python.novelty.forms import ENTRY, functions, normal_form, reads_input
from absolute_zero.domains.python.novelty.questions import COMMON, KINDRED, NEAR, common, kindred, near, probes

__all__ = [
    "COMMON", "ENTRY", "KINDRED", "NEAR", "Facts", "arguments_of", "bound", "common", "digest", "facts", "functions",
    "kindred", "near", "normal_form", "probes", "reads_input", "written",
]  # fmt: skip
