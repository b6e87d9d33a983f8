"""The zip of a plan, as `prompt_lab populate` reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from model_gateway.invocation import typed
from worker_plan.errors import PlanError
from worker_plan.pipeline import FullPlan


def pack(run_dir: Path, into: Path, read: Callable[[Path], bytes] = Path.read_bytes) -> Path:
    """Write the files of a complete plan into the zip `into`, without names that begin with a dot.

    Dates are fixed, so that the same artifacts give the same zip. `read` returns a file's bytes.

    Raises:
        PlanError: the plan is not complete.
        OSError: the zip cannot be written.
    """
    if not FullPlan(run_dir=str(run_dir.resolve())).complete():  # type: ignore[no-untyped-call]
        raise PlanError(
            f"{run_dir} is not a complete plan. Finish it: {typed('plan resume')} {run_dir}"
        )
    into.parent.mkdir(parents=True, exist_ok=True)
    part = into.with_name(f".{into.name}.part")
    with ZipFile(part, "w", ZIP_DEFLATED) as packed:
        for path in sorted(run_dir.iterdir()):
            if path.is_file() and not path.is_symlink() and not path.name.startswith("."):
                entry = ZipInfo(path.name, (1980, 1, 1, 0, 0, 0))
                entry.compress_type = ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                packed.writestr(entry, read(path))
    part.replace(into)
    return into
