"""Finds where the source of a module sets or deletes one of its names, in whatever way."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def lines_that_set(name: str, module: ast.Module) -> list[int]:
    """Return the lines in which a module's code sets or deletes the module's `name`.

    Functions and classes count where they say `global`. A declaration without a value sets
    nothing, nor does what a comprehension calls its own; `from x import *` may set anything and
    is left to the check after the import.
    """
    return sorted(_in_body(name, module.body, is_global=True))


def _in_body(name: str, body: Iterable[ast.AST], *, is_global: bool) -> Iterator[int]:
    """Yield the lines in one scope, and in those inside it, that set the module's name."""
    inner: list[ast.AST] = list(body)
    while inner:
        node = inner.pop()
        if is_global and name in _names_set_by(node):
            yield getattr(node, "lineno", 0)
        match node:
            case ast.AnnAssign(value=None, target=ast.Name()):
                inner.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda() | ast.ClassDef():
                statements: list[ast.AST] = (
                    [*node.body] if isinstance(node.body, list) else [node.body]
                )
                inner += [one for one in ast.iter_child_nodes(node) if one not in statements]
                yield from _in_body(
                    name, statements, is_global=name in _declared_global(statements)
                )
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                inner += _without_targets(node)
            case _:
                inner += ast.iter_child_nodes(node)


def _names_set_by(node: ast.AST) -> Iterable[str | None]:
    match node:
        case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return (name,)
        case ast.ExceptHandler(name=name) | ast.MatchAs(name=name) | ast.MatchStar(name=name):
            return (name,)
        case ast.MatchMapping(rest=name):
            return (name,)
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return [one.asname or one.name.partition(".")[0] for one in names]
    return ()


def _declared_global(body: Iterable[ast.AST]) -> set[str]:
    """Return the names that a scope declares global, not counting the scopes inside it."""
    names: set[str] = set()
    inner = list(body)
    while inner:
        node = inner.pop()
        if isinstance(node, ast.Global):
            names.update(node.names)
        if not isinstance(node, _SCOPES):
            inner += ast.iter_child_nodes(node)
    return names


def _without_targets(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the parts of a comprehension that may set a name outside it, as `:=` does."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.comprehension):
            yield child.iter
            yield from child.ifs
        else:
            yield child
