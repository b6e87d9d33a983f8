"""What `make demo` shows: one step re-executed over sample plans and simulated models."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

from prompt_lab import command_line as lab
from prompt_lab.layout import Layout, runs
from prompt_lab.record import Run
from self_improve import runner

STEP = "identify_potential_levers"
MODELS = ("sim-strong", "sim-verbose", "sim-weak")


def main(place: Path) -> int:
    """Make a data repo with the sample plans in `place`, run a step on it, say where to look."""
    root = (place / "lab").resolve()
    _heading(f"1. A data repo with five train plans and two verify plans: {root}")
    code = lab.main(["init", str(root), "--samples"])
    if code != 0:
        return code
    command = [
        "--step", STEP, "--models", ",".join(MODELS), "--split", "train",
        "--prompt-lab-dir", str(root), "--new",
    ]  # fmt: skip
    _heading("2. One step, five plans, three SIMULATED models")
    print(f"python -m self_improve.runner {shlex.join(command)}\n")
    code = runner.main(command)
    if code != 0:
        return code
    _heading("3. What came of it")
    made = [Run(path) for path in runs(Layout(root))[-len(MODELS) :]]
    _show(made)
    _heading("4. Go on")
    print(
        "List the steps and their prompt surfaces:\n"
        "  .venv/bin/plumbline steps\n"
        "Put your own text in place of a prompt, for one run:\n"
        f"  .venv/bin/plumbline steps --step {STEP} --texts\n"
        f"  .venv/bin/plumbline run --step {STEP} --model sim --prompt-lab-dir {root} \\\n"
        "      --prompt LEVERS_SYSTEM_PROMPT=my_prompt.txt\n"
        'Use a real model, on your own plans: README.md, "The first hour".\n'
        "A simulated model is never evidence: it shows how things work, not what is better."
    )
    return 0


def _show(made: list[Run]) -> None:
    for run in made:
        first = min(plan for plan, _ in run.rows())
        levers = json.loads((run.outputs(first) / "002-10-potential_levers.json").read_text())
        names = "; ".join(lever["name"] for lever in levers[:4])
        print(f"SIMULATED {run.model}: {len(levers)} levers for {first}: {names}; ...")
        print(f"  {run.path}")
    print(
        "Each directory holds meta.json (code, prompts, inputs, seed), attempts.jsonl (every "
        "request and reply), outputs.jsonl (one row a cell), outputs/, and done.json."
    )


def _heading(text: str) -> None:
    print(f"\n{text}\n{'-' * min(len(text), 80)}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".demo")))
