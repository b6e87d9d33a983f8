"""Replaces the string literal of a prompt constant or a field description in a Python file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import libcst as cst
from libcst import matchers
from libcst.metadata import (
    Assignment,
    CodePosition,
    MetadataWrapper,
    ParentNodeProvider,
    PositionProvider,
    Scope,
    ScopeProvider,
)

from self_improve.code.bindings import lines_that_set
from self_improve.code.source_file import LINE_END, SourceFile, syntax_of
from self_improve.code.string_literal import Literal, forms
from self_improve.errors import UsageError

_SURROGATE = re.compile("[\ud800-\udfff]")
_WHY_NOT = {
    cst.FormattedString: "is an f-string",
    cst.ConcatenatedString: "is not a plain string in all its parts",
    cst.BinaryOperation: "is put together by an operator",
    cst.Call: "is computed by a call",
    cst.Name: "is another name's value",
    cst.Attribute: "is another name's value",
    cst.IfExp: "depends on a condition",
}
_DECLARATION = matchers.AnnAssign(value=None)


def replaced(source: bytes, name: str, text: str) -> bytes:
    """Return a Python file in which the constant or field description `name` says `text`.

    `name` is what follows the colon of a surface's id. Every other byte stays, and the result is
    parsed: its syntax tree is the old one except for that string. The file's encoding, byte order
    mark and line ends are kept; characters that do not print, or are not in the encoding, are
    written as escapes.

    Raises:
        UsageError: there is no such string in the file, it is put together or computed, or the
            text holds half a surrogate pair, which neither a file nor a model accepts.
    """
    if half := _SURROGATE.search(text):
        raise UsageError(
            f"the text holds half a surrogate pair at character {half.start()}, which no model "
            "can be sent"
        )
    file = SourceFile(source)
    old = find(file.text, name)
    if old.value == text:
        return source
    if old.commented:
        raise UsageError("a comment between its parts would be lost")
    meant = syntax_of(file.with_part(old.start, old.end, ascii(text)))
    for form in forms(text, old, file.can_write):
        patched = file.with_part(old.start, old.end, form)
        if syntax_of(patched) == meant is not None:
            return patched
    raise UsageError("no way of writing it left the rest of the file as it is")


def find(text: str, name: str) -> Literal:
    """Return where and how a Python file writes the constant or field description `name`.

    Raises:
        UsageError: there is no such string in the file, or it is put together or computed.
    """
    tree = _tree(LINE_END.sub("\n", text))
    model, dot, field = name.rpartition(".")
    node = _described(tree, model, field) if dot else tree.value_of(name)
    value = getattr(node, "evaluated_value", None)
    first = node
    while isinstance(first, cst.ConcatenatedString):
        first = first.left
    if not isinstance(value, str) or not isinstance(first, cst.SimpleString):
        why = _WHY_NOT.get(type(node), "is not a plain string there")
        raise UsageError(f"{name} {why}; give the candidate as code")
    start, end = tree.span(text, node)
    inside = node.with_changes(lpar=(), rpar=())
    return Literal(
        start=start, end=end, source=LINE_END.sub("\n", text[start:end]), value=value,
        before=LINE_END.split(text[:start])[-1], bracketed=bool(dot or node.lpar), first=first,
        joined=node is not first, commented=bool(matchers.findall(inside, matchers.Comment())),
    )  # fmt: skip


class _Tree:
    """The syntax tree of a module, and what sets its names, also in functions with `global`."""

    def __init__(self, text: str) -> None:
        module = cst.parse_module(text)
        self._code = module.code
        self._syntax = ast.parse(text)
        providers = ScopeProvider, ParentNodeProvider, PositionProvider
        facts: Any = MetadataWrapper(module, unsafe_skip_copy=True).resolve_many(providers)
        scopes, self._parents, self._positions = (facts[one] for one in providers)
        self._scope: Scope = scopes[module]

    def span(self, text: str, node: cst.BaseExpression) -> tuple[int, int]:
        """Return where a node without its brackets starts and ends in the text of its file.

        LibCST loses a blank in rare places (a form feed before a statement, the blank in
        `except Error :`), so what is counted are the characters that are not blank.
        """
        ink = [at for at, character in enumerate(text) if not character.isspace()]
        span = self._positions[node]
        return ink[self._ink_before(span.start)], ink[self._ink_before(span.end) - 1] + 1

    def _ink_before(self, position: CodePosition) -> int:
        *lines, line = self._code.split("\n")[: position.line]
        return sum(len(word) for part in (*lines, line[: position.column]) for word in part.split())

    def bindings(self, name: str) -> list[cst.CSTNode]:
        """Return the nodes that set a name; a declaration without a value is none."""
        nodes = []
        for assignment in self._scope[name]:
            if isinstance(assignment, Assignment):
                node = assignment.node
                nodes.append(self._parents[node] if isinstance(node, cst.Name) else node)
        return [node for node in nodes if not matchers.matches(node, _DECLARATION)]

    def value_of(self, name: str) -> cst.BaseExpression:
        """Return the value of the only statement that sets a name."""
        lines = lines_that_set(name, self._syntax)
        if len(lines) > 1:
            listed = ", ".join(map(str, lines))
            raise UsageError(f"{name} is set in several places (lines {listed})")
        bindings = self.bindings(name)
        if not lines or not bindings:
            raise UsageError(f"the file assigns no {name}")
        match bindings[0], self._parents[bindings[0]]:
            case cst.AnnAssign(value=cst.BaseExpression() as value), _:
                return value
            case cst.AssignTarget(), cst.Assign(targets=[_], value=value):
                return value
            case cst.AssignTarget() | cst.Element(), _:
                raise UsageError(f"{name} is assigned together with other names")
        raise UsageError(f"{name} is not set by an assignment")


@lru_cache(maxsize=4)
def _tree(text: str) -> _Tree:
    try:
        return _Tree(text)
    except (cst.ParserSyntaxError, SyntaxError, ValueError, RecursionError) as error:
        raise UsageError(f"its file is not Python that can be read: {error}") from error


def _described(tree: _Tree, model: str, field: str) -> cst.BaseExpression:
    """Return the only description that is written for a field of a model."""
    classes = [one for one in tree.bindings(model) if isinstance(one, cst.ClassDef)]
    if len(classes) != 1:
        raise UsageError(f"the file defines {'no' if not classes else 'several'} {model}")
    statements = [
        small
        for line in classes[0].body.body
        for small in (line.body if isinstance(line, cst.SimpleStatementLine) else (line,))
    ]
    declaration = matchers.AnnAssign(target=matchers.Name(field))
    fields = [
        one for one in statements
        if isinstance(one, cst.AnnAssign) and matchers.matches(one, declaration)
    ]  # fmt: skip
    if len(fields) != 1:
        raise UsageError(f"{model} declares {'no' if not fields else 'several'} {field}")
    calls = [*_metadata(fields[0].annotation.annotation), fields[0].value]
    descriptions = [
        argument.value
        for call in calls
        if isinstance(call, cst.Call)
        for argument in call.args
        if argument.keyword is not None and argument.keyword.value == "description"
    ]
    if len(descriptions) != 1:
        count = "no description is" if not descriptions else "several descriptions are"
        raise UsageError(f"{count} written where {model} declares {field}")
    return descriptions[0]


def _metadata(annotation: cst.BaseExpression) -> Iterator[cst.BaseExpression]:
    """Yield what `Annotated` adds to a type."""
    match annotation:
        case cst.Subscript(
            value=cst.Name("Annotated") | cst.Attribute(attr=cst.Name("Annotated")),
            slice=[cst.SubscriptElement(slice=cst.Index(value=inner)), *added],
        ):
            yield from _metadata(inner)
            yield from (one.slice.value for one in added if isinstance(one.slice, cst.Index))
