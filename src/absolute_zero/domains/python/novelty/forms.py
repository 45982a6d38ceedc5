"""One form for all programs that differ only in what a reader sees: names, docstrings, annotations, comments, layout.

Promises: pure functions of text that raise only `Unreadable`; equal forms mean equal programs. A variable is renamed
by its scope, so a shadowed builtin is a variable and `len` is `len`; names that a program can also be asked for by
(classes, attributes, keywords, modules) stay. Does not promise that different forms behave differently, and does not
know the texts of Python's own error messages, where the name of a variable can be seen.
"""

import ast
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, cast, final

from absolute_zero.domains.python.syntax import Comprehension, Function, comprehension_parts, parameters
from absolute_zero.programs import parse_program
from absolute_zero.values import Unreadable

ENTRY: Final = "f"
"""The function that is called."""
_DEEP: Final = 120  # levels of a tree: `ast.unparse` takes some five frames for each
_TELLING: Final = ("__name__", "__qualname__", "__doc__", "__annotations__")
"""Whoever asks for these sees what is taken away here: such a program is its own form."""

_FIELDS: Final[Mapping[type[ast.AST], str]] = {
    ast.Name: "id", ast.arg: "arg", ast.FunctionDef: "name", ast.AsyncFunctionDef: "name", ast.ClassDef: "name",
    ast.alias: "asname", ast.ExceptHandler: "name", ast.MatchAs: "name", ast.MatchStar: "name",
    ast.MatchMapping: "rest",
}  # fmt: skip
"""Where a node holds the name of a variable, if it has one. All of them bind it, but a `Name` that is read."""


def normal_form(program: str, called: str = ENTRY) -> str:
    """Return the program without what only a reader sees; own names are numbered. `called`: the function that is `f`.

    Raises Unreadable for a text that is not a program.

    >>> normal_form("def f(total: int):\\n    '''Twice.'''\\n    return total * 2  # or +")
    'def f($0):\\n    return $0 * 2'
    """
    tree = parse_program(program)
    if _deeper(tree, _DEEP):
        return program.strip()
    try:
        if not any(word in text for text in _words(tree) for word in _TELLING):
            _strip(tree, called)
        return ast.unparse(tree)
    except ValueError:  # before 3.12, a string in a field of an f-string may have no writing without a backslash
        return program.strip()


def functions(program: str) -> list[str]:
    """Return the names of the functions at the top level. Raises Unreadable for a text that is not a program."""
    return [node.name for node in parse_program(program).body if isinstance(node, ast.FunctionDef)]


def reads_input(program: str) -> bool:
    """Return whether `f` mentions one of its parameters other than to overwrite it. Without that it has no input.

    >>> reads_input("def f(x):\\n    x = 1\\n    return 2"), reads_input("def f(x):\\n    return x")
    (False, True)
    """
    f = entry(program)
    own = {argument.arg for argument in parameters(f.args)}
    for node in ast.walk(f):
        if isinstance(node, ast.Name) and node.id in own and isinstance(node.ctx, ast.Load):
            return True
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in own:
            return True
    return False


@lru_cache(maxsize=64)  # validation asks it for each input of a proposal; nobody changes what it gives
def entry(program: str) -> ast.FunctionDef:
    """Return the function `f` of a program. Raises Unreadable where there is none."""
    for node in parse_program(program).body:
        if isinstance(node, ast.FunctionDef) and node.name == ENTRY:
            return node
    raise Unreadable(f"no top-level `def {ENTRY}`")


def _deeper(tree: ast.AST, levels: int) -> bool:
    level: list[ast.AST] = [tree]
    for _ in range(levels):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return bool(level)


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield attributes, names and strings of a program."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


# --- names --------------------------------------------------------------------------------------------------


@final
class _Scope:
    """Where names live: a module, function, class or comprehension."""

    def __init__(self, node: ast.AST, outer: "_Scope | None") -> None:
        self.node, self.outer = node, outer
        self.bound, self.globals, self.nonlocals = set[str](), set[str](), set[str]()

    def bind(self, name: str, walrus: bool) -> None:
        """Note that the name is given a meaning here; by a walrus in a comprehension, it is in the scope around."""
        scope = self
        while walrus and isinstance(scope.node, Comprehension) and scope.outer is not None:
            scope = scope.outer
        scope.bound.add(name)

    def find(self, name: str) -> "_Scope | None":
        """Return the scope whose variable this name is, as seen from here; None for a builtin.

        Not for names that a class binds, which its methods do not see: those stay as they are.
        """
        chain: list[_Scope] = [self]
        while (outer := chain[-1].outer) is not None:
            chain.append(outer)
        for scope in chain:
            if name in scope.globals:
                return chain[-1]
            if name in scope.bound and name not in scope.nonlocals:
                return scope
        return None


def _strip(tree: ast.Module, called: str) -> None:
    """Take away what does nothing, and number the variables in the order in which they are met."""
    scopes: dict[int, _Scope] = {}
    fixed = _bind(tree, scopes)  # first, as a declaration without a value does say where a name lives
    for node in ast.walk(tree):
        _undress(node)
    numbers: dict[tuple[int, str], str] = {}

    def renamed(name: str, scope: _Scope) -> str:
        home = None if name in fixed else scope.find(name)
        if name == called and home is scopes[id(tree)]:
            return ENTRY
        return name if home is None else numbers.setdefault((id(home), name), f"${len(numbers)}")

    for node, scope in _walk(tree, scopes):
        name = _variable(node)
        if name is not None:
            setattr(node, _FIELDS[type(node)], renamed(name, scope))
        elif isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [renamed(name, scope) for name in node.names]


def _variable(node: ast.AST) -> str | None:
    return cast("str | None", getattr(node, _FIELDS[type(node)])) if type(node) in _FIELDS else None


def _bind(tree: ast.Module, scopes: dict[int, _Scope]) -> set[str]:
    """Fill in the scopes; return the names that stay as they are, wherever they stand."""
    fixed, own, asked = {ENTRY}, set[str](), set[str]()
    walrus: set[int] = set()
    for node, scope in _walk(tree, scopes):
        name = _variable(node)
        if name is not None and not (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)):
            scope.bind(name, walrus=id(node) in walrus)
            if isinstance(node, ast.ClassDef) or isinstance(scope.node, ast.ClassDef) or name.startswith("__"):
                fixed.add(name)
        if isinstance(node, ast.NamedExpr):
            walrus.add(id(node.target))
        elif isinstance(node, ast.Global):
            scope.globals.update(node.names)
            scopes[id(tree)].bound.update(node.names)
        elif isinstance(node, ast.Nonlocal):
            scope.nonlocals.update(node.names)
        elif isinstance(node, ast.alias) and not node.asname:
            fixed.add(node.name.partition(".")[0])
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, ast.keyword):
            asked.add(node.arg or "**")
        elif type(node).__name__ in ("TypeVar", "ParamSpec", "TypeVarTuple"):
            fixed.add(str(getattr(node, "name", "")))
    return fixed | (own if "**" in asked else own & asked)


def _walk(tree: ast.Module, scopes: dict[int, _Scope]) -> Iterator[tuple[ast.AST, _Scope]]:
    """Yield every node in the order of the text, with the scope it stands in. Not recursive."""
    top = scopes.setdefault(id(tree), _Scope(tree, None))
    nodes: list[tuple[ast.AST, _Scope]] = [(node, top) for node in reversed(tree.body)]
    while nodes:
        node, scope = nodes.pop()
        yield node, scope
        outside, inside = _parts(node)
        below = [(part, scope) for part in outside]
        if inside:
            inner = scopes.setdefault(id(node), _Scope(node, scope))
            below += [(part, inner) for part in inside]
        nodes += reversed(below)


def _parts(node: ast.AST) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return the parts of a node that live in its own scope, and those in a scope that it opens."""
    if isinstance(node, ast.arg):
        return [], []  # its annotation is the function's
    generic = cast("list[ast.AST]", getattr(node, "type_params", []))  # since 3.12
    if isinstance(node, ast.ClassDef):
        return [*generic, *node.decorator_list, *node.bases, *node.keywords], [*node.body]
    if isinstance(node, Function | ast.Lambda):
        own = parameters(node.args)
        outside: list[ast.AST | None] = [*node.args.defaults, *node.args.kw_defaults]
        outside += [argument.annotation for argument in own]
        if isinstance(node, ast.Lambda):
            return [part for part in outside if part], [*own, node.body]
        outside += [*generic, *node.decorator_list, node.returns]
        return [part for part in outside if part], [*own, *node.body]
    if isinstance(node, Comprehension):
        results, clauses = comprehension_parts(node)
        return [node.generators[0].iter], [*clauses, *results]
    return [*ast.iter_child_nodes(node)], []


# --- what does nothing --------------------------------------------------------------------------------------


def _undress(node: ast.AST) -> None:
    """Take away annotations, but for those of a class's fields; and statements that are a constant or `pass`."""
    if isinstance(node, ast.arg) and _idle(node.annotation):
        node.annotation = None
    elif isinstance(node, Function) and _idle(node.returns):
        node.returns = None
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            field = isinstance(node, ast.ClassDef)
            bare = [_bare(part, field) for part in cast("list[ast.stmt]", block)]
            kept = [part for part in bare if part is not None]
            setattr(node, name, kept or ([ast.Pass()] if name == "body" else []))


def _bare(statement: ast.stmt, field: bool) -> ast.stmt | None:
    if isinstance(statement, ast.Pass):
        return None
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return None
    if isinstance(statement, ast.AnnAssign) and not field and _idle(statement.annotation):
        if statement.value is None:
            return None
        return ast.copy_location(ast.Assign([statement.target], statement.value), statement)
    return statement


def _idle(annotation: ast.expr | None) -> bool:
    """Return whether evaluating it changes nothing."""
    return annotation is not None and not any(
        isinstance(node, ast.Call | ast.NamedExpr) for node in ast.walk(annotation)
    )
