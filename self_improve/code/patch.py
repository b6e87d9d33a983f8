"""Puts a candidate's texts into the source files of the host, and changes nothing else there."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from self_improve.code import source_file, string_literal
from self_improve.code.source_file import LINE_END, PythonFile
from self_improve.errors import UsageError
from self_improve.host.surfaces import Surface

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_WHY_NOT = {
    ast.JoinedStr: "is an f-string",
    ast.BinOp: "is put together by an operator",
    ast.Call: "is computed by a call",
    ast.Name: "is another name's value",
    ast.Attribute: "is another name's value",
    ast.IfExp: "depends on a condition",
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a file was and what it becomes."""

    before: bytes
    after: bytes


def patched(code: Path, texts: Mapping[str, str]) -> dict[str, Change]:
    """Return the files of a code tree that `texts` (surface id to text) change, by relative path.

    Nothing is written. Files that already hold the texts are left out.

    Raises:
        UsageError: one of the texts cannot be put in, whatever the reason; all are named.
    """
    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    problems: list[str] = []
    for surface_id, text in texts.items():
        module, _, name = surface_id.partition(":")
        try:
            path = _file_of(code, module)
            known = path.relative_to(code).as_posix()
            if known not in before:
                before[known] = after[known] = path.read_bytes()
            after[known] = replaced(after[known], name, text)
        except UsageError as error:
            problems.append(f"{surface_id} cannot be changed in the source: {error}")
        except OSError as error:
            problems.append(f"{surface_id}: its file cannot be read: {error}")
    if problems:
        raise UsageError("\n".join(problems))
    return {
        path: Change(before=old, after=after[path])
        for path, old in before.items()
        if old != after[path]
    }


def replaced(source: bytes, name: str, text: str) -> bytes:
    """Return a Python file in which the constant or field description `name` says `text`.

    `name` is what follows the colon of a surface's id. Every other byte stays, and what comes
    back is parsed: its syntax tree is the old one but for that string. The file's encoding, byte
    order mark and line ends are kept; what does not print, or is not in the encoding, is written
    as an escape.

    Raises:
        UsageError: there is no such string in the file, it is put together or computed, or the
            text holds half a surrogate pair, which neither a file nor a model could take.
    """
    if half := _SURROGATE.search(text):
        raise UsageError(
            f"the text holds half a surrogate pair at character {half.start()}, which no model "
            "can be sent"
        )
    file = PythonFile(source)
    node, bracketed = _string(file.tree, name)
    if node.value == text:
        return source
    start, end = file.place(node.lineno, node.col_offset), file.end(node)
    old = string_literal.Old(
        source=LINE_END.sub("\n", file.text[start:end]),
        value=str(node.value),
        before=LINE_END.split(file.text[:start])[-1],
        bracketed=bracketed,
    )
    node.value, node.kind = text, None
    meant = ast.dump(file.tree)
    try:
        for form in string_literal.forms(text, old, file.can_write):
            made = file.with_part(start, end, form)
            if _dump(made) == meant:
                return made
    except ValueError as error:
        raise UsageError(str(error)) from error
    raise UsageError("no way of writing it left the rest of the file as it is")


def said(source: bytes, name: str) -> str:
    """Return what the constant or field description `name` says in a Python file.

    Raises:
        UsageError: there is no such string in it, or it is put together or computed.
    """
    node, _ = _string(PythonFile(source).tree, name)
    return str(node.value)


def confirm(texts: Mapping[str, str], imported: Mapping[str, Surface]) -> None:
    """Check that what was imported from a patched tree (in another process) says `texts`.

    Raises:
        UsageError: a surface is gone or says something else; all of them are named.
    """
    problems = []
    for surface_id, text in texts.items():
        surface = imported.get(surface_id)
        if surface is None:
            problems.append(
                f"{surface_id} is no prompt surface any more once its module is imported; is the "
                "text too short to be known by?"
            )
        elif surface.text != text:
            problems.append(
                f"{surface_id} says something else once its module is imported: other code "
                "changes it, so give the candidate as code"
            )
    if problems:
        raise UsageError("\n".join(problems))


def diff(changes: Mapping[str, Change]) -> str:
    """Return a unified diff of the files, as `git diff` would write it."""
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for path, change in sorted(changes.items())
        for line in difflib.unified_diff(
            _lines(change.before), _lines(change.after), f"a/{path}", f"b/{path}"
        )
    )


def _lines(source: bytes) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+\Z", source_file.text_of(source))


def _file_of(code: Path, module: str) -> Path:
    """Return a module's source file, which must really lie in the code tree."""
    if not _NAME.fullmatch(module):
        raise UsageError(f"{module!r} is no name of a module")
    base = code.joinpath(*module.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if path.is_file():
            # A link would have us change what lies elsewhere.
            if path.resolve() != code.resolve() / path.relative_to(code):
                raise UsageError(f"{path.relative_to(code)} is a link, and what it leads to stays")
            return path
    raise UsageError(f"there is no module {module} in {code}")


def _dump(source: bytes) -> str | None:
    try:
        return ast.dump(ast.parse(source))
    except (SyntaxError, ValueError):
        return None


def _string(tree: ast.Module, name: str) -> tuple[ast.Constant, bool]:
    """Return the string that is meant, and whether it stands inside brackets."""
    model, dot, field = name.rpartition(".")
    if not dot:
        target = _assigned(tree, name)
        statement_end = (target.end_lineno, target.end_col_offset)
        value = target.value
    else:
        value = _described(tree, model, field)
        statement_end = None
    if not (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        raise UsageError(
            f"{name} {_WHY_NOT.get(type(value), 'is no plain string there')}; give the candidate "
            "as code"
        )
    return value, (value.end_lineno, value.end_col_offset) != statement_end


def _assigned(tree: ast.Module, name: str) -> ast.Assign | ast.AnnAssign:
    """Return the only statement that sets a name of the module."""
    bindings = _bindings(tree, name)
    if not bindings:
        raise UsageError(f"the file assigns no {name}")
    if len(bindings) > 1:
        lines = ", ".join(str(getattr(one, "lineno", "?")) for one in bindings)
        raise UsageError(f"{name} is set in several places (lines {lines})")
    match bindings[0]:
        case ast.Assign(targets=[ast.Name()]) as found:
            return found
        case ast.AnnAssign(target=ast.Name(), value=ast.expr()) as found:
            return found
        case ast.Assign():
            raise UsageError(f"{name} is assigned together with other names")
    raise UsageError(f"{name} is not set by an assignment")


def _bindings(tree: ast.Module, name: str) -> list[ast.AST]:
    """Return what sets a name of the module: its own statements, and functions' `global`s."""
    found = [one for one in ast.walk(tree) if isinstance(one, ast.Global) and name in one.names]
    rest: list[ast.AST] = [tree]
    own: list[ast.AST] = []
    while rest:
        node = rest.pop()
        if _sets(node, name):
            own.append(node)
        elif not isinstance(node, _SCOPES) and not _only_declares(node):
            rest.extend(ast.iter_child_nodes(node))
    return [*sorted(own, key=lambda one: getattr(one, "lineno", 0)), *found]


def _sets(node: ast.AST, name: str) -> bool:
    match node:
        case ast.Assign(targets=targets):
            return any(_holds(target, name) for target in targets)
        case ast.AnnAssign(target=target, value=value):
            return value is not None and _holds(target, name)
        case ast.AugAssign(target=target):
            return _holds(target, name)
        case ast.Name(id=found, ctx=ast.Store() | ast.Del()):
            return found == name
        case ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
            return found == name
        case ast.ClassDef(name=found):
            return found == name
        case ast.alias(name=found, asname=alias):
            return (alias or found) == name
    return False


def _only_declares(node: ast.AST) -> bool:
    """Whether this says what a name will be without setting it."""
    return isinstance(node, ast.AnnAssign) and node.value is None


def _holds(target: ast.expr, name: str) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name for one in ast.walk(target))


def _described(tree: ast.Module, model: str, field: str) -> ast.expr:
    """Return the only description that is written for a field of a model."""
    classes = [one for one in _bindings(tree, model) if isinstance(one, ast.ClassDef)]
    if len(classes) != 1:
        raise UsageError(f"the file defines {'no' if not classes else 'several'} {model}")
    fields = [
        one
        for one in classes[0].body
        if isinstance(one, ast.AnnAssign)
        and isinstance(one.target, ast.Name)
        and one.target.id == field
    ]
    if len(fields) != 1:
        raise UsageError(f"{model} declares {'no' if not fields else 'several'} {field}")
    calls = [*_metadata(fields[0].annotation), fields[0].value]
    found = [
        keyword.value
        for call in calls
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "description"
    ]
    if len(found) != 1:
        count = "no description is" if not found else "several descriptions are"
        raise UsageError(f"{count} written where {model} declares {field}")
    return found[0]


def _metadata(annotation: ast.expr) -> Iterator[ast.expr]:
    """Yield what `Annotated` adds to a type."""
    match annotation:
        case ast.Subscript(
            value=ast.Name(id="Annotated") | ast.Attribute(attr="Annotated"),
            slice=ast.Tuple(elts=[inner, *added]),
        ):
            yield from _metadata(inner)
            yield from added
