"""Flags of commands that read a data repo."""

from __future__ import annotations

import argparse
from pathlib import Path

from model_gateway.arguments import Group
from prompt_lab.layout import SPLITS, VARIABLE


def lab(group: Group) -> None:
    """Add `--prompt-lab-dir`."""
    group.add_argument(
        "--prompt-lab-dir", metavar="DIR", help=f"the data repo (default: the variable {VARIABLE})"
    )


def split(group: Group, default: str = SPLITS[0]) -> None:
    """Add `--split`."""
    group.add_argument(
        "--split", choices=SPLITS, default=default, help="whose plans (default: %(default)s)"
    )


def plan_folder(group: Group) -> None:
    """Add `--baseline-dir` for plans to run on."""
    group.add_argument("--baseline-dir", type=Path, metavar="DIR", help="plans outside a data repo")


def baseline_folders(group: Group) -> None:
    """Add `--baseline-dir` for the plans that lengths are compared with; may be repeated."""
    group.add_argument(
        "--baseline-dir", action="append", default=[], type=_directory, metavar="DIR",
        help="baseline plans that lengths are compared with; may be repeated (default: those in "
        "the data repo)",
    )  # fmt: skip


def _directory(text: str) -> Path:
    """Return a directory that exists: plans that are not there would silently not count."""
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {text}")
    return path
