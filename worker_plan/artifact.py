"""One file of a plan: its name, its owner, and how its bytes become a value."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from worker_plan.errors import ArtifactError

T = TypeVar("T")
_MOST_ERRORS = 3
_NUMBER = "<n>"


class Reader(Protocol):
    """The part of a step that reading an artifact needs: the directory of its plan."""

    run_dir: str


class Artifact(Generic[T]):
    """A file that one step writes and others read.

    It is declared as a class attribute of the step that writes it, and remembers that step as
    its `owner`. `load` and `dump` turn text into a value and back; `show` gives a value as a
    model reads it, or is None where each reader shows it in its own way. A name with `<n>` in it
    means one file per item; `at` returns the single ones, which are written but never read: the
    file that lists all items comes after them.
    """

    owner: type[Any]

    def __init__(
        self,
        name: str,
        load: Callable[[str], T],
        dump: Callable[[T], str],
        show: Callable[[T], str] | None = None,
    ) -> None:
        self.name = name
        self.show = show
        self._load = load
        self._dump = dump

    def __set_name__(self, owner: type[Any], attribute: str) -> None:
        self.owner = owner

    @property
    def per_item(self) -> bool:
        """Whether this is one file per item."""
        return _NUMBER in self.name

    def at(self, number: int) -> Artifact[T]:
        """Return the artifact of item `number`, counted from 1."""
        name = self.name.replace(_NUMBER, str(number))
        single = Artifact(name, self._load, self._dump, self.show)
        single.owner = self.owner
        return single

    @property
    def input(self) -> Input[T]:
        """The artifact as a step that reads it declares it."""
        return Input(self)

    def load(self, run_dir: Path) -> T:
        """Read the artifact of the plan in `run_dir`.

        Raises:
            ArtifactError: it is missing, cannot be read, is not UTF-8, or has the wrong shape.
        """
        path = run_dir / self.name
        try:
            return self._load(path.read_bytes().decode("utf-8-sig"))
        except FileNotFoundError as error:
            raise ArtifactError(
                f"{self.name} is missing in {run_dir}; the step {self.owner.__name__} writes it."
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise ArtifactError(
                f"{path} cannot be used: {_cause(error)}. The step {self.owner.__name__} writes it."
            ) from error

    def save(self, run_dir: Path, value: T) -> None:
        """Write the artifact whole or not at all.

        Raises:
            OSError: the directory cannot be written, or the disk is full.
        """
        # A model may write lone surrogates, which UTF-8 cannot encode.
        data = self._dump(value).encode("utf-8", "replace")
        handle, name = tempfile.mkstemp(dir=run_dir, prefix=f".{self.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(run_dir / self.name)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise


class Input(Generic[T]):
    """An artifact as its reader declares it: reading the attribute reads the file."""

    def __init__(self, artifact: Artifact[T]) -> None:
        self.artifact = artifact

    # mypy asks the value of the property `Artifact.input` for its `__get__`, too.
    @overload
    def __get__(self, step: Artifact[Any] | None, owner: type[Any]) -> Input[T]: ...
    @overload
    def __get__(self, step: Reader, owner: type[Any]) -> T: ...
    def __get__(self, step: Artifact[Any] | Reader | None, owner: type[Any]) -> Input[T] | T:
        """Return the artifact's value in the plan that `step` works on."""
        if step is None or isinstance(step, Artifact):
            return self
        return self.artifact.load(Path(step.run_dir))


def text(name: str, show: Callable[[str], str] = str) -> Artifact[str]:
    """Return an artifact that is plain text, Markdown or a table."""
    return Artifact(name, str, str, show)


def data(name: str, shape: type[T], show: Callable[[T], str] | None = None) -> Artifact[T]:
    """Return an artifact that is JSON of the given shape: any type that pydantic can read."""
    adapter = TypeAdapter(shape)

    def dump(value: T) -> str:
        plain = adapter.dump_python(value, mode="json")
        return json.dumps(plain, ensure_ascii=False, indent=2)

    return Artifact(name, adapter.validate_json, dump, show)


def _cause(error: Exception) -> str:
    """Return what is wrong and where, without the artifact's content."""
    if not isinstance(error, ValidationError):
        return str(error)
    errors = error.errors(include_url=False, include_input=False, include_context=False)
    lines = [f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in errors]
    more = f"; and {len(lines) - _MOST_ERRORS} more" if len(lines) > _MOST_ERRORS else ""
    return "; ".join(lines[:_MOST_ERRORS]) + more
