"""Could a program leave something behind for the next input in the same process?

One child runs all inputs of a program, because a fork costs more than the program. That is only fair if no input
can see another's traces: a verdict must be the one the input would get alone. So sharing is for programs whose
code shows no way to: whatever this cannot vouch for gets a child per input, which costs time and nothing else.
Not promised: that no way is left; relative addresses of objects, for one, differ with company. Runs in the child before
any foreign code does.
"""

import math
import opcode
import re
import sys
import typing
from types import CodeType

# What of these modules a program may use and still share: functions of their arguments, and types.
_PURE: dict[str, frozenset[str]] = {
    name: frozenset(members.split())
    for name, members in {
        "bisect": "bisect bisect_left bisect_right insort insort_left insort_right",
        "collections": "Counter OrderedDict defaultdict deque namedtuple",
        "copy": "copy deepcopy",
        "functools": "cache cmp_to_key lru_cache partial reduce",
        "heapq": "heapify heappop heappush heappushpop heapreplace merge nlargest nsmallest",
        "itertools": "accumulate batched chain combinations combinations_with_replacement compress count cycle "
        "dropwhile filterfalse groupby islice pairwise permutations product repeat starmap takewhile tee zip_longest",
        "math": " ".join(name for name in dir(math) if not name.startswith("_")),
        "operator": "add and_ concat contains countOf eq floordiv ge gt itemgetter le lshift lt matmul mod mul ne neg "
        "not_ or_ pos pow rshift sub truediv xor",
        "re": "A ASCII DOTALL I IGNORECASE M MULTILINE S VERBOSE X escape findall finditer fullmatch match "
        "search split sub subn",
        "string": "ascii_letters ascii_lowercase ascii_uppercase digits hexdigits octdigits printable punctuation "
        "whitespace capwords",
        "typing": "Any Callable Collection Counter DefaultDict Deque Dict FrozenSet Generator Hashable Iterable "
        "Iterator List Mapping MutableMapping MutableSequence Optional Sequence Set Sized Text Tuple Type TypeVar "
        "Union",
    }.items()
}
# Names that lead from an object to what lies behind it, or that change something outside the program.
_BEHIND = ("_", "gi_", "f_", "tb_", "cr_", "ag_", "co_")
_DOORS = frozenset(
    "exec eval compile globals vars locals setattr delattr getattr open type object super input breakpoint "
    "register modules sys builtins format format_map id".split()
)
_STORES = frozenset(opcode.opmap[name] for name in ("STORE_ATTR", "DELETE_ATTR", "MATCH_CLASS"))
_IMPORT, _EXTENDED = opcode.opmap["IMPORT_NAME"], opcode.EXTENDED_ARG
_GENERATORS = 0x20 | 0x80 | 0x200  # generator, coroutine, asynchronous generator: they run on when collected


def leaves_residue(code: CodeType) -> bool:
    """Return whether this program cannot be shown to leave nothing behind."""
    names: set[str] = set()
    imports: set[str] = set()
    if not _gather(code, names, imports) or not imports <= _PURE.keys():
        return True
    # A name of the program's own is as good as any, unless it also names a part of a module it imports.
    return any(
        name not in members and hasattr(sys.modules.get(module), name)
        for module, members in ((module, _PURE[module]) for module in imports)
        for name in names
        if name != module
    )


def forget(code: CodeType) -> None:
    """Empty the caches of modules that a program which shares has used: their keys mix up 2, 2.0 and True."""
    if "re" in code.co_names:
        re.purge()
    if "typing" in code.co_names:
        for cleanup in getattr(typing, "_cleanups", ()):
            cleanup()


def _gather(code: CodeType, names: set[str], imports: set[str], nested: bool = False) -> bool:
    """Collect all names and imports. Return False as soon as something rules sharing out."""
    body, extended = code.co_code, 0
    if nested and _IMPORT in body[::2]:  # `forget` looks for imports at the top
        return False
    if not _STORES.isdisjoint(body[::2]) or (code.co_flags & _GENERATORS and code.co_name != "<genexpr>"):
        return False
    for name in code.co_names:
        if name in _DOORS or (name != "_" and name.startswith(_BEHIND)):
            return False
    names.update(code.co_names)
    if _IMPORT in body[::2]:
        for offset in range(0, len(body), 2):
            argument = extended << 8 | body[offset + 1]
            if body[offset] == _IMPORT:
                imports.add(code.co_names[argument])
            extended = argument if body[offset] == _EXTENDED else 0
    return all(_gather(part, names, imports, True) for part in code.co_consts if type(part) is CodeType)
