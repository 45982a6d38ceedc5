"""What the guard and the normal form both ask of a syntax tree: functions, comprehensions, and the parts of each."""

import ast

Function = ast.FunctionDef | ast.AsyncFunctionDef
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def parameters(arguments: ast.arguments) -> list[ast.arg]:
    """Return all parameters, in the order of their writing."""
    rest, keywords = arguments.vararg, arguments.kwarg
    named = [*arguments.posonlyargs, *arguments.args, *([rest] if rest else []), *arguments.kwonlyargs]
    return [*named, *([keywords] if keywords else [])]


def comprehension_parts(node: Comprehension) -> tuple[list[ast.AST], list[ast.AST]]:
    """Return what lives in a comprehension's own scope, all but what it first iterates over: results, and clauses."""
    results: list[ast.AST] = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
    clauses: list[ast.AST] = [part for clause in node.generators for part in (clause.target, *clause.ifs)]
    return results, [*clauses, *(clause.iter for clause in node.generators[1:])]
