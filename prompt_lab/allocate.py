"""Run numbers: one counter over all steps, safe among many processes."""

from __future__ import annotations

import os

from prompt_lab.layout import Layout, is_number, number_of, runs


def allocate(layout: Layout) -> int:
    """Claim and return the next free run number.

    A number is claimed by creating its file, which only one process can do. Numbers of runs made
    elsewhere (a clone, an older record) count as taken.

    Raises:
        OSError: the data repo cannot be written.
    """
    layout.numbers.mkdir(parents=True, exist_ok=True)
    number = _next_number(layout)
    while True:
        try:
            os.close(os.open(layout.numbers / str(number), os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:
            number += 1
        else:
            return number


def _next_number(layout: Layout) -> int:
    claimed = [int(p.name) for p in layout.numbers.iterdir() if is_number(p.name)]
    existing = [number_of(run) for run in runs(layout)[-1:]]
    return max([*claimed, *existing], default=-1) + 1
