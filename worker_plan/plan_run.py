"""One plan's way through the pipeline: put its text in place, and let Luigi do what is left."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import luigi

from model_gateway import config
from worker_plan.errors import PlanError
from worker_plan.pipeline import FullPlan
from worker_plan.step import Detail
from worker_plan.steps.setup import Setup

METADATA = "001-3-planexe_metadata.json"
PIPELINE_VERSION = 1


def begin(run_dir: Path, plan: str) -> None:
    """Put the plan text, given as text or as the name of a file, into `run_dir`.

    Raises:
        PlanError: the text is empty or not UTF-8, the file is not there, or the directory holds
            another plan.
    """
    text = _text(plan)
    if not text.strip():
        raise PlanError("The plan text is empty.")
    run_dir.mkdir(parents=True, exist_ok=True)
    there = run_dir / Setup.plan.name
    if there.exists() and Setup.plan.load(run_dir) != text:
        raise PlanError(f"{run_dir} holds another plan; take another directory.")
    Setup.plan.save(run_dir, text)
    (run_dir / METADATA).write_text(json.dumps({"pipeline_version": PIPELINE_VERSION}))


def carry_on(run_dir: Path, *, models: Sequence[str], speed: str, workers: int) -> bool:
    """Run every step that is not done; return whether all are done then.

    Raises:
        ConfigError: a model is unknown, or none was named and no default is set.
        PlanError: the directory holds no plan text.
    """
    if not (run_dir / Setup.plan.name).is_file():
        raise PlanError(f"{run_dir} holds no {Setup.plan.name}; begin with `run`.")
    names = [model.name for model in config.load().choose(models)]
    place = str(run_dir.resolve())
    root = FullPlan(run_dir=place, models=names, detail=Detail[speed])  # type: ignore[no-untyped-call]
    luigi.build([root], local_scheduler=True, workers=workers, log_level="WARNING")
    return all(task.complete() for task in root.requires())


def _text(plan: str) -> str:
    """Return the content of the file called `plan`, or `plan` itself if there is none."""
    try:
        path = Path(plan).expanduser()
        if path.is_file():
            return path.read_bytes().decode("utf-8-sig")
        plan.encode()
    except UnicodeEncodeError as error:
        raise PlanError("The plan text is not UTF-8; put it into a file and name that.") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{plan} is not UTF-8 (byte {error.start}).") from error
    except (OSError, ValueError, RuntimeError):
        # A text can be too long, have marks, or begin with a tilde, as no name can.
        return plan.removeprefix("\ufeff")
    if path.suffix.lower() in {".txt", ".md"} and not any(map(str.isspace, plan)):
        raise PlanError(f"There is no file {plan}.")
    return plan.removeprefix("\ufeff")
