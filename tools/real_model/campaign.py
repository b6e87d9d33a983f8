"""What `make real` does: runs, comparisons, searches and a survey, as a user would type them."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from model_gateway.config import EMBEDDED
from model_gateway.errors import PlumblineError
from model_gateway.jsonl import read_rows
from prompt_lab import command_line as lab_commands
from self_improve.code import git
from tools.real_model.prompts import DAMAGED, IMPROVED, STEPS, SmallStep
from tools.real_model.units import Result, Results, Unit

ROOT = Path(__file__).resolve().parents[2]
MODEL, ONCE = "tiny", "smollm2-once"
SURVEY_PLAN, _SURVEY_CALLS = "20260401_tool_library", 4
SEARCHES: Mapping[str, tuple[str, ...]] = {"operators": (), "promptbreeder": ("--small",)}
_AUTHOR = ("-c", "user.name=Plumbline", "-c", "user.email=plumbline@localhost")


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is run: repeats of a cell, runs of one prompt, calls of a search."""

    steps: tuple[str, ...]
    repeats: int
    runs: int
    search_calls: int
    survey_seconds: float


class Campaign:
    """The work in a folder; everything there is resumed."""

    def __init__(self, folder: Path, sizes: Sizes) -> None:
        self.folder = folder
        self.sizes = sizes
        self.results = Results(folder / "results")

    def prepare(self) -> None:
        """Make the data repo, the pipeline's repository, and the entry of the survey."""
        self.require_same_code()
        lab_commands.main(["init", str(self._lab), "--samples"])
        entries = self.folder / "llm_config"
        entries.mkdir(exist_ok=True)
        text = (EMBEDDED / "smollm2.toml").read_text(encoding="utf-8")
        text = text.replace('name = "smollm2"', f'name = "{ONCE}"')
        text = text.replace("max_attempts = 2", "max_attempts = 1")
        text = text.replace('aliases = ["tiny"]\n', "")
        (entries / f"{ONCE}.toml").write_text(text, encoding="utf-8")
        code = self._pipeline
        if not (code / ".git").is_dir():
            shutil.rmtree(code, ignore_errors=True)
            hidden = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / "worker_plan", code / "worker_plan", ignore=hidden)
            git.run(code.parent, "init", "--quiet", "--initial-branch=main", str(code))
            git.run(code, "add", ".")
            git.run(code, *_AUTHOR, "commit", "--quiet", "-m", "The pipeline as it ships")

    def runs(self) -> Iterator[Unit]:
        """Yield runs in rounds, so that a campaign cut short has some of everything."""
        steps = [STEPS[name] for name in self.sizes.steps]
        changes = list(zip(DAMAGED.items(), IMPROVED.items(), strict=True))
        for number in range(max(self.sizes.runs - 1, len(changes))):
            for step in steps:
                yield self._run_of(step, min(number + 1, self.sizes.runs))
                for name, change in changes[number] if number < len(changes) else ():
                    yield self._change_of(step, name, change(step))
                yield self._run_of(step, min(number + 2, self.sizes.runs))

    def searches(self) -> Iterator[Unit]:
        """Yield searches from the prompt that ships, each by another generator."""
        for generator, more in SEARCHES.items():
            for name in self.sizes.steps:
                work = partial(self._search, STEPS[name], generator, more)
                yield Unit(name=f"search/{name}/{generator}", work=work)

    def survey(self) -> Iterator[Unit]:
        """Yield one cell of every step that calls a model, on one plan."""
        for name in steps_with_models():
            yield Unit(name=f"survey/{name}", work=partial(self._cell, name))

    def require_same_code(self) -> None:
        """Refuse to mix runs of different code or sizes.

        Raises:
            PlumblineError: the folder holds results of another version.
        """
        parts = [f"HEAD:{name}" for name in ("worker_plan", "model_gateway", "self_improve")]
        trees = git.run(ROOT, "rev-parse", *parts).split()
        identity = {"trees": trees, "repeats": self.sizes.repeats}
        if (before := self.results.get("identity")) is None:
            self.results.put("identity", identity)
        elif before != identity:
            raise PlumblineError(
                f"{self.folder} holds runs of another version of the code or with other --repeats, "
                "which are not comparable with new ones. Name another --folder, or remove it."
            )

    @property
    def _lab(self) -> Path:
        return self.folder.resolve() / "lab"

    @property
    def _pipeline(self) -> Path:
        return self.folder.resolve() / "pipeline"

    def judge(self) -> None:
        """Measure the noise of each step, and compare all runs that there are by it."""
        for step in self.sizes.steps:
            runs = self._done(f"run/{step}")
            if len(runs) > 1:
                done = self._command(["self_improve.noise", "--step", step])
                lines = (done.stdout if done.returncode == 0 else done.stderr).splitlines()
                self.results.put(f"noise/{step}", {"code": done.returncode, "lines": lines})
            for one, other in itertools.combinations(runs, 2):
                result = self._compare(f"run/{step}/{one}", f"run/{step}/{other}", "--alike")
                self.results.put(f"pair/{step}/{one}={other}", result)
            for name in self._done(f"change/{step}"):
                if runs:
                    result = self._compare(f"run/{step}/{runs[0]}", f"change/{step}/{name}")
                    self.results.put(f"verdict/{step}/{name}", result)

    def _done(self, prefix: str) -> list[str]:
        return sorted(self.results.named(prefix))

    def _run_of(self, step: SmallStep, seed: int) -> Unit:
        """Return a run of the prompt that ships."""
        words = self._words(step, "--seed", str(seed))
        return Unit(name=f"run/{step.name}/{seed}", work=partial(self._run, words))

    def _change_of(self, step: SmallStep, name: str, text: str) -> Unit:
        """Return a run of another prompt, with the first seed."""
        file = self.folder / "prompts" / f"{step.name} {name}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        prompt = f"{step.constant}={file.resolve()}"
        words = self._words(step, "--seed", "1", "--prompt", prompt)
        return Unit(name=f"change/{step.name}/{name}", work=partial(self._run, words))

    def _words(self, step: SmallStep, *more: str) -> list[str]:
        return [
            "self_improve.runner", "--step", step.name, "--model", MODEL, "--split", "train",
            "--repeats", str(self.sizes.repeats), *more,
        ]  # fmt: skip

    def _run(self, words: Sequence[str]) -> Result:
        """Run cells; the result has the run's path and figures of its attempts."""
        began = datetime.now(UTC).isoformat(timespec="milliseconds")
        done = self._command([*words, "--json"], codes={0, 1})
        [run] = json.loads(done.stdout)["runs"]
        path = Path(run["path"])
        attempts = read_rows(path / "attempts.jsonl")[0]
        kinds = [row["failure_kind"] for row in run["rows"] if row["status"] == "failed"]
        return {
            "path": str(path),
            "cells": len(run["rows"]),
            "failed": kinds,
            "evidence": run["evidence"],
            "attempts": len(attempts),
            "resumed": any(row["started"] < began for row in attempts),
            "model_seconds": sum(row["seconds"] for row in attempts),
            "input_tokens": sum(row["input_tokens"] or 0 for row in attempts),
            "output_tokens": sum(row["output_tokens"] or 0 for row in attempts),
        }

    def _compare(self, before: str, after: str, *more: str) -> Result:
        sides = [self.results.get(name) for name in (before, after)]
        if None in sides:
            raise LookupError(f"{before} or {after} was not run.")
        paths = [side["path"] for side in sides if side is not None]
        done = self._command(
            ["self_improve.compare", "--before", paths[0], "--after", paths[1], *more, "--json"]
        )
        if done.returncode:
            return {"word": "not comparable", "evidence": "none", "why": done.stderr[-2000:]}
        row = json.loads(done.stdout)
        shown = ("word", "evidence", "verdict", "reasons", "gates", "notes", "composite")
        return {key: row[key] for key in shown if key in row}

    def _search(self, step: SmallStep, generator: str, more: Sequence[str]) -> Result:
        """Search and test, within a number of calls; the result has the search's own records."""
        done = self._command(
            [
                "self_improve.iteration", "--step", step.name, "--models", MODEL,
                "--proposer", MODEL, "--candidates", "1", "--generator", generator, *more,
                "--max-calls", str(self.sizes.search_calls), "--repeats", "1",
                "--repo", str(self._pipeline), "--analyse", "never", "--skip-downstream",
                "--skip-spot-check", "--force",
            ],
            codes={0, 1, 2, 3},
        )  # fmt: skip
        iterations = sorted((self._lab / "analysis").glob(f"*_{step.name}"))
        rows = read_rows(iterations[-1] / "search.jsonl")[0] if iterations else []
        over = [row for row in rows if row.get("event") == "over"]
        marker = iterations[-1] / "phases" / "publish.json" if iterations else Path("none")
        ends = json.loads(marker.read_text())["candidates"] if marker.is_file() else {}
        return {
            "code": done.returncode,
            "iteration": iterations[-1].name if iterations else None,
            "rows": len(rows),
            "over": over[-1] if over else None,
            "ends": [one["told"] for one in ends.values()],
            "last_lines": (done.stdout + done.stderr).splitlines()[-12:],
        }

    def _cell(self, name: str) -> Result:
        plan = self._lab / "baseline" / "train" / SURVEY_PLAN
        done = self._command(
            ["self_improve.runner", "--step", name, "--model", ONCE, "--plan-dir", str(plan),
             "--timeout", str(self.sizes.survey_seconds), "--max-calls", str(_SURVEY_CALLS),
             "--json"],
            codes={0, 1, 2, 3},
        )  # fmt: skip
        try:
            [run] = json.loads(done.stdout)["runs"]
            [row] = run["rows"]
        except ValueError:
            return {"status": "failed", "failure_kind": "refused", "error": done.stderr[-500:]}
        keys = ("status", "failure_kind", "error", "calls", "calls_succeeded", "partial",
                "input_tokens", "output_tokens", "duration_seconds")  # fmt: skip
        return {"path": run["path"], **{key: row[key] for key in keys}}

    def _command(
        self, words: Sequence[str], *, codes: Collection[int] = (0, 2)
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", *words, "--prompt-lab-dir", str(self._lab)],
            cwd=ROOT, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env={**os.environ, "PLUMBLINE_LLM_CONFIG": str(self.folder.resolve() / "llm_config")},
        )  # fmt: skip
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(words)}\n{done.stderr}\n")
        if done.returncode not in codes:
            raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stderr}")
        return done


def steps_with_models() -> list[str]:
    """Return the steps of the embedded pipeline that call a model, in their order."""
    done = subprocess.run(
        [sys.executable, "-m", "self_improve.steps", "--json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    steps: list[dict[str, Any]] = json.loads(done.stdout)["steps"]
    return [step["name"] for step in steps if step["calls_model"]]
