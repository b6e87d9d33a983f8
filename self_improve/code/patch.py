"""Puts a candidate's texts into the source files of the host, and changes nothing else there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from model_gateway.foreign_files import read_bytes
from self_improve.code.source_file import SourceFile, text_of
from self_improve.errors import UsageError
from self_improve.host.surfaces import Surface

_NAME = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a file was and what it becomes."""

    before: bytes
    after: bytes


def patched(code: Path, texts: Mapping[str, str]) -> dict[str, Change]:
    """Return the files of a code tree that `texts` (surface id to text) change, by relative path.

    Nothing is written. Files that already hold the texts are left out.

    Raises:
        UsageError: one of the texts cannot be put in; all problems are named.
    """
    # Imported here because LibCST takes 0.2 s, and most commands patch nothing.
    from self_improve.code.prompt_literal import replaced

    before: dict[str, bytes] = {}
    after: dict[str, bytes] = {}
    problems: list[str] = []
    for surface_id, text in texts.items():
        module, _, name = surface_id.partition(":")
        try:
            path = _file_of(code, module)
            file = path.relative_to(code).as_posix()
            if file not in before:
                before[file] = after[file] = read_bytes(path)
            after[file] = replaced(after[file], name, text)
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


def text_in(source: bytes, name: str) -> str:
    """Return what the constant or field description `name` says in a Python file.

    Raises:
        UsageError: there is no such string in it, or it is put together or computed.
    """
    from self_improve.code.prompt_literal import find  # Slow to import, as above.

    return find(SourceFile(source).text, name).value


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
                f"{surface_id} is no longer a prompt surface once its module is imported; is the "
                "text too short to be recognized?"
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
    return re.findall(r"[^\n]*\n|[^\n]+\Z", text_of(source))


def _file_of(code: Path, module: str) -> Path:
    """Return a module's source file, which must really be in the code tree."""
    if not _NAME.fullmatch(module):
        raise UsageError(f"{module!r} is not a module name")
    base = code.joinpath(*module.split("."))
    for path in (base.with_name(f"{base.name}.py"), base / "__init__.py"):
        if path.is_file():
            # A link would change a file elsewhere.
            if path.resolve() != code.resolve() / path.relative_to(code):
                raise UsageError(
                    f"{path.relative_to(code)} is a link, and its target must not change"
                )
            return path
    raise UsageError(f"there is no module {module} in {code}")
