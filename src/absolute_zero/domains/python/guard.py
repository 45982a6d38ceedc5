"""The static guard: which programs the project takes as proposals.

Policy, not protection. It keeps out programs that make poor tasks (no function `f`, an answer that hangs on
chance, the clock or an address, an example call that gives the input of an abduction task away) and says why in a word
that can be counted. Whoever tries gets around it; what holds is the wall (`absolute_zero.executor.Sandbox`),
which runs any text and never asks this module.

Promises: `guard` is total (any string gives a `Refusal` or None, never an exception), runs nothing, imports
nothing the program names, and its work grows linearly with the program's length. Standard library only.
"""

import ast
import sys
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final, final

from absolute_zero.domains.python.syntax import Comprehension, Function, comprehension_parts, parameters
from absolute_zero.programs import parse_program
from absolute_zero.types import Refusal
from absolute_zero.values import Unreadable

MAX_CHARACTERS: Final = 8_000
"""Three times the longest of 1,600 programs that models really proposed (2,565), a page or two of prompt."""
MAX_LINES: Final = 400
"""Seven times the longest of the same programs (58): `MAX_CHARACTERS` at twenty characters a line."""

ALLOWED_MODULES: Final = frozenset((
    "__future__", "bisect", "collections", "copy", "dataclasses", "decimal", "enum", "fractions",
    "functools", "heapq", "itertools", "math", "operator", "re", "statistics", "string", "typing",
))  # fmt: skip
"""Pure, deterministic and there on every machine. Public submodules (`collections.abc`) come with them."""

_POLICY: Final = {
    **dict.fromkeys(("random", "secrets", "uuid"), "the answer would depend on chance"),
    **dict.fromkeys(("time", "datetime", "calendar", "timeit"), "the answer would depend on the clock"),
}
_DYNAMIC: Final = frozenset((
    "__import__", "breakpoint", "compile", "delattr", "eval", "exec", "globals", "id", "input", "locals",
    "open", "setattr", "vars",
))  # fmt: skip
_BY_NAME: Final = frozenset(("getattr", "hasattr"))
_ORDINARY_DUNDERS: Final = frozenset(f"__{name}__" for name in (
    "abs", "add", "aenter", "aexit", "aiter", "and", "anext", "annotations", "bool", "bytes", "call",
    "ceil", "class", "complex", "contains", "copy", "deepcopy", "delitem", "divmod", "doc", "enter", "eq",
    "exit", "float", "floor", "floordiv", "format", "ge", "getitem", "gt", "hash", "iadd", "iand",
    "ifloordiv", "ilshift", "imatmul", "imod", "imul", "index", "init", "init_subclass", "int", "invert",
    "ior", "ipow", "irshift", "isub", "iter", "itruediv", "ixor", "le", "len", "length_hint", "lshift",
    "lt", "matmul", "missing", "mod", "mul", "name", "ne", "neg", "new", "next", "or", "pos", "post_init",
    "pow", "qualname", "radd", "rand", "rdivmod", "repr", "reversed", "rfloordiv", "rlshift", "rmatmul",
    "rmod", "rmul", "ror", "round", "rpow", "rrshift", "rshift", "rsub", "rtruediv", "rxor", "setitem",
    "slots", "str", "sub", "truediv", "trunc", "xor",
))  # fmt: skip


@final
class Reason(StrEnum):
    """Why a program is refused: the words that `Refusal.reason` has here, in the order of the checks."""

    TOO_LONG = "too_long"
    SYNTAX = "syntax"
    NO_FUNCTION = "no_function"
    REDEFINED = "redefined"
    NOT_PLAIN = "not_plain"
    NO_PARAMETERS = "no_parameters"
    STATEMENT = "statement"
    IMPORT = "import"
    DYNAMIC = "dynamic"


def guard(program: str) -> Refusal | None:
    """Return None where `program` is fit to be proposed, else the first reason why not.

    Policy and not protection: run what passes in the `Sandbox` like everything else.

    >>> guard("import math\\n\\ndef f(x):\\n    return math.floor(x)") is None
    True
    >>> print(guard("import random\\n\\ndef f(x):\\n    return random.random()"))
    import: random: the answer would depend on chance
    """
    lines = program.count("\n") + program.count("\r") + 1
    if len(program) > MAX_CHARACTERS:
        return _refuse(Reason.TOO_LONG, f"{len(program):,} characters, at most {MAX_CHARACTERS:,}")
    if lines > MAX_LINES:
        return _refuse(Reason.TOO_LONG, f"{lines:,} lines, at most {MAX_LINES:,}")
    try:
        tree = parse_program(program)
    except Unreadable as error:
        return _refuse(Reason.SYNTAX, str(error) or "unreadable")
    return _entry(tree) or _statements(tree) or _imports(tree) or _dynamic(tree)


def _refuse(reason: Reason, detail: str) -> Refusal:
    return Refusal(reason.value, " ".join(detail.split())[:200])


# --- the entry function -------------------------------------------------------------------------------------


def _entry(tree: ast.Module) -> Refusal | None:
    """Demand one plain `def f` with a parameter, and nothing else at the top level that is called `f`."""
    functions = [node for node in tree.body if isinstance(node, Function) and node.name == "f"]
    if not functions:
        return _refuse(Reason.NO_FUNCTION, "no top-level `def f`")
    bindings = sum(name == "f" for node in _evaluated_in(tree) for name in _bound_by(node))
    rebound = any(isinstance(node, ast.Global) and "f" in node.names for node in ast.walk(tree))
    if bindings > 1 or rebound:
        return _refuse(Reason.REDEFINED, "`f` is given a meaning more than once")
    f = functions[0]
    if isinstance(f, ast.AsyncFunctionDef):
        return _refuse(Reason.NOT_PLAIN, "`f` is async: calling it gives no value")
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _evaluated_in(f)):
        return _refuse(Reason.NOT_PLAIN, "`f` is a generator: calling it gives no value")
    if not parameters(f.args):
        # Every program without an input is a constant: any abduction answer to it would be the empty text.
        return _refuse(Reason.NO_PARAMETERS, "`f` takes no input")
    return None


# --- what stands at the top level ---------------------------------------------------------------------------

_DEFINITIONS: Final = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom,
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Pass,
)  # fmt: skip


def _statements(tree: ast.Module) -> Refusal | None:
    """Allow definitions only, and none that uses `f`.

    `print(f([1, 2]))` and `if __name__ == "__main__":` do no harm when run. They are refused because the text
    of a program is shown to whoever must guess its input, and an example call may well be that input. Three
    of 1,600 really proposed programs have one.
    """
    for node in tree.body:
        if isinstance(node, _DEFINITIONS) or type(node).__name__ == "TypeAlias":  # ast.TypeAlias: since 3.12
            continue
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # docstring, or `...`
            continue
        return _refuse(Reason.STATEMENT, f"line {node.lineno}: a top-level {_statement(node)} that runs")
    pending: list[ast.AST] = [tree]
    while pending:
        for node in _evaluated_in(pending.pop()):
            if isinstance(node, ast.Name) and node.id == "f" and isinstance(node.ctx, ast.Load):
                return _refuse(Reason.STATEMENT, f"line {node.lineno}: the top level uses `f`")
            if isinstance(node, ast.ClassDef | Comprehension):  # these run at once, functions do not
                pending.append(node)
    return None


def _statement(node: ast.stmt) -> str:
    return "expression" if isinstance(node, ast.Expr) else type(node).__name__.lower()


# --- imports ------------------------------------------------------------------------------------------------


def _imports(tree: ast.Module) -> Refusal | None:
    modules: dict[str, str] = {}  # a name in the program, and the module it stands for
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                modules[alias.asname or root] = alias.name if alias.asname else root
            fault = next((bad for alias in node.names if (bad := _module(alias.name))), "")
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                return _refuse(Reason.IMPORT, f"{'.' * node.level}{node.module or ''}: relative")
            source = node.module or ""
            fault = _module(source)
            for alias in node.names:
                fault = fault or _member(source, alias.name)
        else:
            continue
        if fault:
            return _refuse(Reason.IMPORT, fault)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)):
            continue
        module = modules.get(node.value.id, "")
        if module and not isinstance(node.ctx, ast.Load):
            return _refuse(Reason.DYNAMIC, f"{module}.{node.attr} = ...: changes a module")
        if module and (bad := _member(module, node.attr)):
            return _refuse(Reason.IMPORT, bad)
    return None


def _module(name: str) -> str:
    """Say what is wrong with importing `name`; empty where nothing is."""
    root, _, rest = name.partition(".")
    if root in ALLOWED_MODULES and not any(part.startswith("_") for part in rest.split(".")):
        return ""
    return f"{name}: {_POLICY.get(root, 'not on the list of allowed modules')}"


def _member(module: str, name: str) -> str:
    """Say what is wrong with taking `name` out of `module`: modules hold their imports (`statistics.random`)."""
    if name in ALLOWED_MODULES or (module, name) == ("collections", "abc") or _is_dunder(name):
        return ""  # dunders are `_dynamic`'s
    if name in sys.stdlib_module_names:
        return f"{module}.{name}: {_POLICY.get(name, 'not on the list of allowed modules')}"
    return f"{module}.{name}: private" if name.startswith("_") else ""


# --- code that makes or reaches code ------------------------------------------------------------------------


def _dynamic(tree: ast.Module) -> Refusal | None:
    """Refuse names and attributes that make code from text or reach behind the objects of the program.

    A name counts only where it is the builtin: `def f(input):` is an ordinary program, and a frequent one.
    """
    for node in ast.walk(tree):
        for name in _named_by(node):
            if _is_dunder(name) and name not in _ORDINARY_DUNDERS:
                return _refuse(Reason.DYNAMIC, name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _BY_NAME:
            attribute = node.args[1] if len(node.args) > 1 else None
            text = attribute.value if isinstance(attribute, ast.Constant) else None
            if not isinstance(text, str) or text.startswith("__"):
                return _refuse(Reason.DYNAMIC, f"{node.func.id}: of a name that is computed or reserved")
    for scope, outside, inside in _scopes(tree):
        ordered = not isinstance(scope, ast.Module | ast.ClassDef)  # `eval = eval` reads the builtin first
        hidden = inside if ordered else outside
        for node in _evaluated_in(scope):
            if isinstance(node, ast.Name) and node.id in _DYNAMIC and node.id not in hidden:
                return _refuse(Reason.DYNAMIC, f"line {node.lineno}: {node.id}")
    return None


def _is_dunder(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def _named_by(node: ast.AST) -> Sequence[str]:
    """Return every identifier that stands on this node itself."""
    if isinstance(node, ast.Attribute):
        return (node.attr,)
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.MatchClass):
        return node.kwd_attrs
    if isinstance(node, ast.ImportFrom):
        return () if node.module == "__future__" else [alias.name for alias in node.names]
    return tuple(_bound_by(node))


# --- scopes: iterative, so that no nesting in the program can exhaust our stack -----------------------------


def _scopes(tree: ast.Module) -> Iterator[tuple[ast.AST, frozenset[str], frozenset[str]]]:
    """Yield every scope of the program, with the names bound around it, and those with its own added."""
    pending: list[tuple[ast.AST, frozenset[str]]] = [(tree, frozenset())]
    while pending:
        scope, outside = pending.pop()
        nodes = list(_evaluated_in(scope))
        own = {name for node in nodes for name in _bound_by(node)} & _DYNAMIC
        inside = outside | own if own else outside
        yield scope, outside, inside
        visible = outside if isinstance(scope, ast.ClassDef) else inside  # methods see no class names
        pending.extend((node, visible) for node in nodes if _inner(node))


def _evaluated_in(scope: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes evaluated in `scope` itself: of a scope inside it only its node, its defaults and decorators."""
    pending = list(_inner(scope))
    while pending:
        node = pending.pop()
        yield node
        inner = {id(part) for part in _inner(node)}
        for part in ast.iter_child_nodes(node):
            if id(part) in inner:
                continue
            if isinstance(part, ast.arguments) and inner:
                pending.extend([*part.defaults, *(value for value in part.kw_defaults if value is not None)])
            elif isinstance(part, ast.comprehension) and inner:
                pending.extend([part.iter] if part is _first(node) else [])
            else:
                pending.append(part)


def _inner(node: ast.AST) -> Sequence[ast.AST]:
    """Return the parts of `node` that live in a scope of its own; empty where it opens none."""
    if isinstance(node, ast.Module | ast.ClassDef):
        return node.body
    if isinstance(node, Function):
        return [*parameters(node.args), *node.body]
    if isinstance(node, ast.Lambda):
        return [*parameters(node.args), node.body]
    if isinstance(node, Comprehension):
        results, clauses = comprehension_parts(node)
        return [*results, *clauses]
    return ()


def _first(node: ast.AST) -> ast.comprehension | None:
    return node.generators[0] if isinstance(node, Comprehension) else None


def _bound_by(node: ast.AST) -> Iterator[str]:
    """Yield the names that this node itself gives a meaning in its scope."""
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, Function | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.partition(".")[0]
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
