"""The demo of `make demo`: a step re-executed, and three changes of its prompt tested end to end.

Everything is simulated and labelled so. The pipeline's code is copied into a new git repository
with a weaker prompt than it ships with, so that there is something to improve.
"""

from __future__ import annotations

import argparse
import ast
import json
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from model_gateway.arguments import new_parser
from model_gateway.exits import OK, exit_code
from prompt_lab import command_line as lab
from prompt_lab.layout import Layout, runs
from prompt_lab.record import Run
from self_improve import runner
from self_improve.code import git, patch
from self_improve.host import contract
from self_improve.iteration import command_line as iteration

PROG = "python -m self_improve.demo"
EXAMPLES = """\
example:
  python -m self_improve.demo .demo     # what `make demo` runs

exit codes: 0 done · 2 wrong usage or configuration · 130 interrupted
"""
STEP = "identify_potential_levers"
MODELS = ("sim-strong", "sim-verbose", "sim-weak")
CONSTANT = "LEVERS_SYSTEM_PROMPT"
SURFACE = f"worker_plan.steps.{STEP}:{CONSTANT}"
_DEMAND = "Give each effect as a figure with a percent sign, such as 25% or 40%, for [whom].\n"


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of the command."""
    parser = new_parser(prog, __doc__.partition("\n")[0], EXAMPLES)
    parser.add_argument(
        "folder", nargs="?", type=Path, default=Path(".demo"), metavar="DIR",
        help="the directory for its data repo and its pipeline (default: %(default)s)",
    )  # fmt: skip
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run the demo and return the exit code."""
    folder: Path = parser(prog).parse_args(words).folder
    return exit_code(lambda: _run(folder))


def _run(folder: Path) -> int:
    """Create a data repo and a pipeline in `folder`, run a step, test three changes of it."""
    root, code = (folder / "lab").resolve(), (folder / "pipeline").resolve()
    _heading(f"1. A data repo with five train plans and two verify plans: {root}")
    ended = lab.main(["init", str(root), "--samples"])
    if ended != OK:
        return ended
    words = [
        "--step", STEP, "--models", ",".join(MODELS), "--split", "train",
        "--prompt-lab-dir", str(root), "--new",
    ]  # fmt: skip
    _heading("2. One step, five plans, three SIMULATED models")
    print(f"python -m self_improve.runner {shlex.join(words)}\n")
    ended = runner.main(words)
    if ended != OK:
        return ended
    _show([Run(path) for path in runs(Layout(root))[-len(MODELS) :]])
    _heading(f"3. Three changes of its prompt, tested against a weakened one: {code}")
    good = _pipeline(code)
    for name, text in _candidates(good):
        file = folder / f"{name}.txt"
        file.write_text(text, encoding="utf-8")
        words = [
            "--step", STEP, "--models", ",".join(MODELS), "--prompt", f"{CONSTANT}={file}",
            "--repo", str(code), "--prompt-lab-dir", str(root), "--rationale", f"{name} prompt",
        ]  # fmt: skip
        print(f"\npython run_optimization_iteration.py {shlex.join(words)}\n", flush=True)
        ended = iteration.main(words)
        if ended not in {OK, iteration.REJECTED}:
            return ended
    _heading("4. Where to look, and what to do next")
    _print_next(root)
    return OK


def weakened(good: str) -> str:
    """Return a prompt with only one example, that demands figures and shows a placeholder."""
    first, _, rest = good.partition("> Rehearsal")
    return f"{first}{_DEMAND}\n{rest[rest.index('In `strategic_rationale`') :]}"


def spoiled(weak: str) -> str:
    """Return a prompt that makes worse what the weak one does badly."""
    start = weak.index("> Who")
    shorter = weak[:start] + weak[weak.index(_DEMAND) :]
    more = "Write [the figure] % for [the party] in each of the texts, as in 60% or 75%.\n"
    return shorter.replace(_DEMAND, _DEMAND + more * 3)


def reworded(weak: str) -> str:
    """Return a prompt with the same form and meaning in other words."""
    return weak.replace("You advise people", "You counsel people", 1)


def _candidates(good: str) -> Iterator[tuple[str, str]]:
    weak = weakened(good)
    yield "better", good
    yield "worse", spoiled(weak)
    yield "reworded", reworded(weak)


def _pipeline(code: Path) -> str:
    """Create the pipeline's repository if it is missing; return the prompt it ships with."""
    source = contract.own_code() / "worker_plan"
    file = source / "steps" / f"{STEP}.py"
    good = _constant(file.read_text(encoding="utf-8"))
    if not (code / ".git").is_dir():
        shutil.rmtree(code, ignore_errors=True)
        shutil.copytree(source, code / "worker_plan", ignore=shutil.ignore_patterns("__pycache__"))
        for name, change in patch.patched(code, {SURFACE: weakened(good)}).items():
            (code / name).write_bytes(change.after)
        git.run(code.parent, "init", "--quiet", "--initial-branch=main", str(code))
        git.run(code, "add", ".")
        author = ("-c", "user.name=Plumbline", "-c", "user.email=plumbline@localhost")
        git.run(code, *author, "commit", "--quiet", "-m", "The pipeline, with a weak prompt")
    return good


def _constant(source: str) -> str:
    for node in ast.parse(source).body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and names == [CONSTANT]:
            return str(ast.literal_eval(node.value))
    raise LookupError(f"{STEP} no longer has {CONSTANT}.")


def _show(shown: list[Run]) -> None:
    for run in shown:
        first = min(plan for plan, _ in run.rows())
        levers = json.loads(next(run.outputs(first).glob("*-potential_levers.json")).read_text())
        names = "; ".join(lever["name"] for lever in levers[:4])
        print(f"SIMULATED {run.model}: {len(levers)} levers for {first}: {names}; ...")
        print(f"  {run.path}")


def _print_next(root: Path) -> None:
    layout = Layout(root)
    print(
        f"Every request and reply:      {layout.history}\n"
        f"Pull requests with verdicts:  {layout.forge / 'pulls'}\n"
        f"Replies of agents and judge:  {layout.analysis}\n"
        f"Scoreboard and failures:      {layout.scores}\n"
        "Gains so far:                 "
        f".venv/bin/plumbline lab progress --prompt-lab-dir {root}\n"
        "Steps and prompt surfaces:    .venv/bin/plumbline steps\n"
        "A whole plan, with a report:  "
        '.venv/bin/plumbline plan run --model sim --plan "A bakery on a canal boat."\n'
        'Real models, your own plans:  README.md, "The first hour"\n'
        "A simulated model is never evidence: it shows how things work, not which prompt is better."
    )


def _heading(text: str) -> None:
    print(f"\n{text}\n{'-' * min(len(text), 80)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
