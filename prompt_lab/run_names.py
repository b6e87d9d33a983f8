"""Finding a run by what a command line calls it: a path, a number, or a number with a slash."""

from __future__ import annotations

import os
import re
from pathlib import Path

from prompt_lab import layout
from prompt_lab.errors import LabError
from prompt_lab.layout import PER_FOLDER, VARIABLE, Layout, number_of

_SLASHED = re.compile(r"(\d+)/(\d{1,2})\Z")


def lab_of(given: str | Path | None) -> Layout | None:
    """Return the data repo that was named or that the environment names, if there is one.

    A directory that only holds a `history` will do.

    Raises:
        LabError: what was named is no data repo.
    """
    named = given or os.environ.get(VARIABLE)
    if named and (Path(named).expanduser() / "history").is_dir():
        return Layout(Path(named).expanduser().resolve())
    try:
        return layout.find(given)
    except LabError:
        if given is not None:
            raise
        return None


def find(name: str, lab: Layout | None) -> Path:
    """Return the directory of the run called `name`: a path, `131` or `1/31`.

    Raises:
        LabError: there is no such run, or several carry the number.
    """
    path = Path(name).expanduser()
    if path.is_dir() and (path / "meta.json").is_file():
        return path
    slashed = _SLASHED.match(name)
    if slashed is not None:
        number = int(slashed[1]) * PER_FOLDER + int(slashed[2])
    elif name.isascii() and name.isdigit():
        number = int(name)
    else:
        raise LabError(
            f"{name} is no run: give a directory with a meta.json, or a number such as 131 or 1/31."
        )
    if lab is None:
        named = os.environ.get(VARIABLE)
        told = f" {VARIABLE} names {named}, which holds no history." if named else ""
        raise LabError(
            f"In which data repo is run {name}?{told} Say --prompt-lab-dir DIR or set {VARIABLE}."
        )
    found = [path for path in layout.runs(lab) if number_of(path) == number]
    if not found:
        raise LabError(f"There is no run {name} in {lab.history}.")
    if len(found) > 1:
        told = ", ".join(map(str, found))
        raise LabError(f"Several runs have the number {name}: {told}. Give the path of one.")
    return found[0]
