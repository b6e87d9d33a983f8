"""The demo of `make demo-real`: the main job on a real model, on this machine and without a key."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
from collections.abc import Sequence
from pathlib import Path

from model_gateway.arguments import new_parser
from model_gateway.exits import OK, exit_code
from prompt_lab import command_line as lab
from self_improve import compare, runner
from tools.real_model.prompts import DAMAGED, IMPROVED, STEPS

PROG = "python -m tools.real_model.demo"
EXAMPLES = """\
example:
  .venv-local/bin/python -m tools.real_model.demo .demo-real     # what `make demo-real` runs

exit codes: 0 done · 1 a cell failed · 2 wrong usage or configuration · 130 interrupted
"""
STEP = STEPS["plan_type"]
MODEL = "tiny"
BETTER, WORSE = "short, for a small model", "demands one word, in English"


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = new_parser(prog, __doc__.partition("\n")[0], EXAMPLES)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(".demo-real"), metavar="DIR",
        help="the directory for its data repo (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--repeats", type=int, default=2, metavar="N", help="runs of each cell (default: 2)"
    )
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run the demo and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _run(options.folder, options.repeats))


def _run(folder: Path, repeats: int) -> int:
    root = (folder / "lab").resolve()
    _heading(f"1. A data repo with five train plans and two verify plans: {root}")
    ended = lab.main(["init", str(root), "--samples"])
    if ended != OK:
        return ended
    common = [
        "--step", STEP.name, "--model", MODEL, "--split", "train", "--repeats", str(repeats),
        "--prompt-lab-dir", str(root),
    ]  # fmt: skip
    _heading("2. One step on five plans, on a real model: its prompt, a better and a worse one")
    print(
        f"{MODEL} has 135 million parameters, of which nobody expects good plans. It is here to\n"
        "show how the product judges replies as they really are. A cell takes some seconds; stop\n"
        "with Ctrl-C and run it again to resume."
    )
    sides = {"the prompt that ships": None, "better?": IMPROVED[BETTER], "worse?": DAMAGED[WORSE]}
    run_of: dict[str, Path] = {}
    for name, change in sides.items():
        words = list(common)
        if change is not None:
            file = folder / f"{name.rstrip('?')}.txt"
            file.write_text(change(STEP), encoding="utf-8")
            words += ["--prompt", f"{STEP.constant}={file}"]
        print(f"\n{name}: python -m self_improve.runner {shlex.join(words)}", flush=True)
        ended = runner.main(words)
        if ended not in {OK, 1}:
            return ended
        run_of[name] = recorded(words)
    for name in list(sides)[1:]:
        _heading(f"3. {name} Judged by numbers alone")
        words = ["--before", str(run_of["the prompt that ships"]), "--after", str(run_of[name])]
        ended = compare.main([*words, "--prompt-lab-dir", str(root)])
        if ended != OK:
            return ended
    _heading("4. Where to look, and what to do next")
    print(
        f"Every request and reply:      {root / 'history'}\n"
        "The server and its log:       ~/.cache/plumbline/servers\n"
        "Keep the server up:           .venv-local/bin/plumbline models serve tiny\n"
        "What it can do, in figures:   docs/real_model.md\n"
        "Larger local models, others:  docs/models.md"
    )
    return OK


def recorded(words: Sequence[str]) -> Path:
    """Return the finished run of a command that was executed; this sends nothing."""
    with io.StringIO() as said, contextlib.redirect_stdout(said):
        runner.main([*words, "--json"])
        [run] = json.loads(said.getvalue())["runs"]
    return Path(run["path"])


def _heading(text: str) -> None:
    print(f"\n{text}\n{'-' * min(len(text), 80)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
