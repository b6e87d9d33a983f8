"""Finds the run that a command line names: a path, a number, or a number with a slash."""

from __future__ import annotations

import os
import re
from pathlib import Path

from model_gateway.foreign_files import expanded, resolved
from prompt_lab import layout
from prompt_lab.errors import LabError
from prompt_lab.layout import PER_FOLDER, VARIABLE, Layout, is_number, number_of

_SLASHED = re.compile(r"(\d+)/(\d{1,2})\Z")


def lab_of(path: str | Path | None) -> Layout | None:
    """Return the data repo at `path`, or the one that the environment names, or None.

    A directory that only holds a `history` is enough.

    Raises:
        LabError: `path` is not a data repo.
    """
    name = path or os.environ.get(VARIABLE)
    if name and (expanded(name) / "history").is_dir():
        return Layout(resolved(name))
    try:
        return layout.find(path)
    except LabError:
        if path is not None:
            raise
        return None


def find(name: str, lab: Layout | None) -> Path:
    """Return the directory of the run called `name`: a path, `131` or `1/31`.

    Raises:
        LabError: there is no such run, or several have the number.
    """
    path = expanded(name)
    if path.is_dir() and (path / "meta.json").is_file():
        return path
    slashed = _SLASHED.match(name)
    if slashed is not None:
        number = int(slashed[1]) * PER_FOLDER + int(slashed[2])
    elif is_number(name):
        number = int(name)
    else:
        raise LabError(
            f"{name} is not a run: give a directory with a meta.json, or a number such as 131 or "
            "1/31."
        )
    if lab is None:
        variable = os.environ.get(VARIABLE)
        hint = f" {VARIABLE} names {variable}, which holds no history." if variable else ""
        raise LabError(
            f"In which data repo is run {name}?{hint} Say --prompt-lab-dir DIR or set {VARIABLE}."
        )
    paths = [path for path in layout.runs(lab) if number_of(path) == number]
    if not paths:
        raise LabError(f"There is no run {name} in {lab.history}.")
    if len(paths) > 1:
        listed = ", ".join(map(str, paths))
        raise LabError(f"Several runs have the number {name}: {listed}. Give the path of one.")
    return paths[0]
