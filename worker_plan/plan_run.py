"""One plan's way through the pipeline: put its text in place, and let Luigi do what is left."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import luigi

from model_gateway import beside, config
from model_gateway.arguments import CAP_VARIABLES
from model_gateway.head_start import HeadStart
from model_gateway.ledger import Caps
from worker_plan import plan_record
from worker_plan.errors import PlanError
from worker_plan.pipeline import FullPlan, artifact_names
from worker_plan.progress import Display, Watch
from worker_plan.step import Detail
from worker_plan.steps.setup import Setup

_LUIGI = {
    # A worker that has nothing to do looks again after so many seconds; a second is Luigi's way.
    "worker": {"wait_interval": "0.02", "wait_jitter": "0", "max_reschedules": "0"},
    "scheduler": {"retry_count": "1"},
}


def place_of(plan: str) -> Path:
    """Return the directory that a plan gets when none is named: the same text, the same place."""
    digest = hashlib.sha256(_text(plan).encode()).hexdigest()
    return Path("plans") / f"plan_{digest[:10]}"


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
    plan_record.begin(run_dir, artifact_names())


def carry_on(
    run_dir: Path,
    *,
    models: Sequence[str],
    speed: str,
    workers: int,
    caps: Caps | None = None,
    display: Display | None = None,
    head_start: HeadStart | None = None,
) -> bool:
    """Run every step that is not done; return whether all are done then.

    `caps` hold over all sessions of the plan. `display` is told how the steps go. A `head_start`
    becomes the plan's gateway; without one the first step that needs a gateway starts it.

    Raises:
        ConfigError: a model is unknown, or none was named and no default is set.
        PlanError: the directory holds no plan text, or another pipeline works on it.
    """
    if not (run_dir / Setup.plan.name).is_file():
        raise PlanError(f"{run_dir} holds no {Setup.plan.name}; begin with `run`.")
    names = [model.name for model in config.load().choose(models)]
    root = FullPlan(run_dir=str(run_dir.resolve()), models=names, detail=Detail[speed])  # type: ignore[no-untyped-call]
    if root.complete():
        return True
    _set(caps or Caps())
    with plan_record.only_pipeline(run_dir):
        plan_record.not_complete(run_dir)
        plan_record.ordered(run_dir, names, speed)
        if head_start is not None:
            beside.begin(run_dir, head_start)
        with Watch(run_dir, root.requires(), display):
            settings = luigi.configuration.get_config()
            for section, values in _LUIGI.items():
                for key, value in values.items():
                    settings.set(section, key, value)
            # Every step's process is a fork of this one: its collector need not look at what is
            # here already, nor copy the pages on which that lies.
            gc.freeze()
            try:
                luigi.build([root], local_scheduler=True, workers=workers, log_level="WARNING")
            finally:
                gc.unfreeze()
    return root.complete()


def _set(caps: Caps) -> None:
    """Hand the caps to the gateway beside the plan, which reads them from its environment."""
    for name, variable in CAP_VARIABLES.items():
        value = getattr(caps, name)
        if value is not None:
            os.environ[variable] = str(value)


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
