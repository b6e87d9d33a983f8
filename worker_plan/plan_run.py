"""A plan's run through the pipeline: write its text, then let Luigi run the unfinished steps."""

from __future__ import annotations

import gc
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import luigi

from model_gateway import beside, entry_files
from model_gateway.cap_variables import CAP_VARIABLES
from model_gateway.config import Model
from model_gateway.door import from_environment
from model_gateway.foreign_files import MOST_SETTINGS, expanded, read_bytes
from model_gateway.head_start import HeadStart
from model_gateway.invocation import typed
from model_gateway.ledger import Caps
from worker_plan import luigi_log, plan_record
from worker_plan.errors import PlanError
from worker_plan.pipeline import FullPlan, artifact_names
from worker_plan.progress import Display, Watch
from worker_plan.step import Detail
from worker_plan.steps.setup import Setup

_LUIGI = {
    "core": {"no_configure_logging": "true"},  # `luigi_log` does it.
    # An idle worker looks for work after this many seconds; Luigi's default is one second.
    "worker": {"wait_interval": "0.02", "wait_jitter": "0", "max_reschedules": "0"},
    "scheduler": {"retry_count": "1"},
}


def default_folder(plan: str) -> Path:
    """Return the default directory of a plan, which depends only on its text."""
    digest = hashlib.sha256(_text(plan).encode()).hexdigest()
    return Path("plans") / f"plan_{digest[:10]}"


def begin(run_dir: Path, plan: str) -> None:
    """Write the plan text, given as text or as the name of a file, into `run_dir`.

    Raises:
        PlanError: the text is empty or not UTF-8, the file does not exist, or the directory
            contains another plan.
    """
    text = _text(plan)
    if not text.strip():
        raise PlanError("The plan text is empty.")
    run_dir.mkdir(parents=True, exist_ok=True)
    if (run_dir / Setup.plan.name).exists() and Setup.plan.load(run_dir) != text:
        raise PlanError(f"{run_dir} contains another plan. Name another one with --run-dir.")
    Setup.plan.save(run_dir, text)
    plan_record.begin(run_dir, artifact_names())


def resume(
    run_dir: Path,
    *,
    models: Sequence[str],
    speed: str,
    workers: int,
    caps: Caps | None = None,
    display: Display | None = None,
    head_start: HeadStart | None = None,
) -> bool:
    """Run every unfinished step; return whether all are finished then.

    `caps` apply to all sessions of the plan together. `display` shows the progress. `head_start`
    becomes the plan's gateway; without it the first step that needs a gateway starts one.

    Raises:
        ConfigError: a model is unknown, or none was named and no default is set.
        GatewayError: a model has no key or does not answer.
        PlanError: the directory contains no plan text, or another pipeline is working on it.
    """
    if not (run_dir / Setup.plan.name).is_file():
        raise PlanError(
            f"{run_dir} contains no {Setup.plan.name}. Start with: {typed('plan run')} "
            f"--plan FILE --run-dir {run_dir}"
        )
    chosen = entry_files.load().choose(models)
    names = [model.name for model in chosen]
    root = FullPlan(run_dir=str(run_dir.resolve()), models=names, detail=Detail[speed])  # type: ignore[no-untyped-call]
    if root.complete():
        return True
    _export(caps or Caps())
    with plan_record.locked(run_dir):
        _check_models(run_dir, chosen, caps or Caps())
        plan_record.remove_mark(run_dir)
        plan_record.save_options(run_dir, names, speed)
        if head_start is not None:
            beside.begin(run_dir, head_start)
        with Watch(run_dir, root.requires(), display), luigi_log.captured(run_dir):
            settings = luigi.configuration.get_config()
            for section, values in _LUIGI.items():
                for key, value in values.items():
                    settings.set(section, key, value)
            # Every step's process is a fork of this one: frozen objects keep its collector from
            # visiting them and copying their memory pages.
            gc.freeze()
            try:
                luigi.build([root], local_scheduler=True, workers=workers)
            finally:
                gc.unfreeze()
    return root.complete()


def _check_models(run_dir: Path, models: Sequence[Model], caps: Caps) -> None:
    """Ask every model of a server for a token, unless a runner's cell has a door to them."""
    if from_environment() is not None or all(model.is_embedded for model in models):
        return
    # Imported here, because a gateway takes long to import and simulated models need none.
    from worker_plan.model_check import check

    check(run_dir, models, caps)


def _export(caps: Caps) -> None:
    """Set the environment variables from which the plan's gateway reads its caps."""
    for name, variable in CAP_VARIABLES.items():
        value = getattr(caps, name)
        if value is not None:
            os.environ[variable] = str(value)


def _text(plan: str) -> str:
    """Return the content of the file named `plan`, or `plan` itself if there is no such file."""
    try:
        path = expanded(plan)
        if path.is_file():
            return read_bytes(path, most=MOST_SETTINGS).decode("utf-8-sig")
        plan.encode()
    except UnicodeEncodeError as error:
        raise PlanError(
            "The plan text is not UTF-8. Save it as UTF-8 and pass --plan FILE."
        ) from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{plan} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    except (OSError, ValueError, RuntimeError):
        # Texts may be too long, contain NUL or begin with a tilde: then they are not file names.
        return plan.removeprefix("\ufeff")
    if path.suffix.lower() in {".txt", ".md"} and not any(map(str.isspace, plan)):
        raise PlanError(f"There is no file {plan}.")
    return plan.removeprefix("\ufeff")
