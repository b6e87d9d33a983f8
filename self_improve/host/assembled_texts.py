"""Texts that a host's modules assemble at import, which a later change does not reach."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Value:
    """What a module assigned at its top level; the id is `module:NAME` or `module:Class.name`.

    `mentioned` and `strings` are the identities of strings: those its expression names, and those
    the value itself is or contains. `computed` is its text unless the code has it as a literal.
    """

    id: str
    mentioned: frozenset[int]
    strings: frozenset[int]
    computed: str | None

    def is_made_of(self, text: str) -> bool:
        """Whether this value was assembled from `text`, so that it would not follow a change."""
        if id(text) in self.strings:
            return False
        if id(text) in self.mentioned:
            return True
        # A function that was called at import may have inserted it.
        return self.computed is not None and text.strip() in self.computed


def values(name: str, module: ModuleType, assigned: Mapping[str, ast.expr]) -> Iterator[Value]:
    """Yield the values of the names that the module called `name` assigned."""
    for target, expression in assigned.items():
        value = _at(module, target)
        is_literal = isinstance(expression, ast.Constant)
        yield Value(
            id=f"{name}:{target}",
            mentioned=frozenset(map(id, _mentioned(expression, vars(module)))),
            strings=frozenset(map(id, _strings(value))),
            computed=value if isinstance(value, str) and not is_literal else None,
        )


def assignments(module: ModuleType) -> dict[str, ast.expr]:
    """Return the expressions that a module assigns at its top level, by name.

    Those in the body of a class, with the annotations of its fields, are named `Class.name`.
    """
    path = getattr(module, "__file__", None)
    if path is None or not path.endswith(".py"):
        return {}
    expressions: dict[str, ast.expr] = {}
    for node in _statements(ast.parse(Path(path).read_bytes()).body):
        expressions |= _assigned(node, expressions)
        if isinstance(node, ast.ClassDef):
            for inner in _statements(node.body):
                named = _assigned(inner, {}, annotated=True).items()
                expressions |= {f"{node.name}.{name}": value for name, value in named}
    return expressions


def _assigned(
    node: ast.stmt, before: Mapping[str, ast.expr], *, annotated: bool = False
) -> dict[str, ast.expr]:
    match node:
        case ast.Assign(targets=targets, value=value):
            return {t.id: value for t in targets if isinstance(t, ast.Name)}
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation) if annotated:
            return {name: _both(annotation, node.value or annotation)}
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            return {name: value}
        case ast.AugAssign(target=ast.Name(id=name), value=value):
            return {name: _both(before.get(name, value), value)}
    return {}


def _both(one: ast.expr, other: ast.expr) -> ast.expr:
    return ast.List(elts=[one, other], ctx=ast.Load())


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at import, also those in branches and blocks."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With | ast.For):
            handlers = node.handlers if isinstance(node, ast.Try) else []
            for block in (node, *handlers):
                yield from _statements(block.body)
            yield from _statements(getattr(node, "orelse", []))


def _at(module: ModuleType, target: str) -> Any:
    """Return the value of a name, or of a name in a class, as it was assigned."""
    name, _, attribute = target.partition(".")
    value = vars(module).get(name)
    if not attribute:
        return value
    return vars(value).get(attribute) if isinstance(value, type) else None


def _mentioned(expression: ast.expr, names: Mapping[str, Any]) -> Iterator[str]:
    """Yield the strings that an expression names, directly or as an attribute of a module."""
    for node in ast.walk(expression):
        value = None
        if isinstance(node, ast.Name):
            value = names.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = names.get(node.value.id)
            value = vars(owner).get(node.attr) if isinstance(owner, ModuleType) else None
        if isinstance(value, str):
            yield value


def _strings(value: Any) -> list[str]:
    """Return the strings that `value` is, or contains as a list or dict: they can be replaced."""
    strings: list[str] = []
    rest, seen = [value], set()
    while rest:
        one = rest.pop()
        if isinstance(one, str):
            strings.append(one)
        elif isinstance(one, dict | list) and id(one) not in seen:
            seen.add(id(one))
            rest.extend(one.values() if isinstance(one, dict) else one)
    return strings
