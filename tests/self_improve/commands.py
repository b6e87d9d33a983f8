"""The real commands, run in this process or in one of their own, and what they left."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prompt_lab import layout
from prompt_lab.layout import Layout
from prompt_lab.record import Run
from self_improve import runner, steps

ROOT = Path(__file__).resolve().parents[2]
FOREIGN = ROOT / "tests" / "foreign"


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed as JSON."""
        return json.loads(self.out)


def run(*words: str | Path, output: Path) -> Ran:
    """Run `self_improve.runner` in this process, with its history under `output`."""
    return called(runner.main, [*words, "--output-dir", output])


def list_steps(*words: str | Path) -> Ran:
    """Run `self_improve.steps --json` in this process."""
    return called(steps.main, [*words, "--json"])


def run_apart(
    *words: str | Path, output: Path, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run `python -m self_improve.runner` as a process of its own."""
    arguments = [*words, "--output-dir", output]
    done = subprocess.run(
        [sys.executable, "-m", "self_improve.runner", *map(str, arguments)],
        cwd=ROOT, env={**os.environ, **(environment or {})},
        capture_output=True, text=True, encoding="utf-8", check=False,
    )  # fmt: skip
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


def runs(output: Path) -> list[Run]:
    """Return the runs under `output`, in the order in which they began."""
    return [Run(path) for path in layout.runs(Layout(output))]


def only_run(output: Path) -> Run:
    """Return the one run under `output`."""
    [run] = runs(output)
    return run


def sent(run: Run) -> list[str]:
    """Return every message and every schema that the run sent."""
    return [
        text
        for attempt in run.attempts()
        for text in (*(m["content"] for m in attempt.messages), json.dumps(attempt.schema))
    ]


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file below `folder`, bytecode left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }


def called(main: Any, words: Sequence[str | Path]) -> Ran:
    """Run the main function of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(word) for word in words])
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())
