"""What became of a cell: its error, whose failure it is, and what killed it."""

from __future__ import annotations

import signal

from model_gateway.call import FailureKind
from self_improve.cells import cell
from self_improve.cells.account import Account
from self_improve.cells.scratch import Scratch

TRIES = 3
"""How often a cell is run that something outside of its code ended."""
_KILLED = {-signal.SIGKILL, -signal.SIGTERM, -signal.SIGXCPU}
"""How a cell ends that the kernel or a person kills; its own code would have to kill itself."""
_NO_MEMORY = "MemoryError"
"""How it ends where a limit of memory refuses what it asks for, which kills nothing."""


def killer(scratch: Scratch, status: int | None) -> str | None:
    """Return what outside of its code ended a cell, or None."""
    if status in _KILLED:
        return f"killed from outside by {signal.Signals(-status).name}"
    if status is None or status == cell.FINISHED:
        return None
    result = scratch.result()
    return "refused memory" if result is not None and result.kind == _NO_MEMORY else None


def outcome(
    scratch: Scratch, account: Account, *, status: int | None, limit: float, must_ask: bool
) -> tuple[str | None, FailureKind | None, str | None]:
    """Return the error of a cell, the kind of failure and the traceback; Nones without one."""
    if status is None:
        return f"killed after {limit:g} s, the time limit of a cell", FailureKind.timeout, None
    if by := killer(scratch, status):
        what = f"{by}, {TRIES} times (is there enough memory?)"
        return what, FailureKind.killed, None
    if status != cell.FINISHED:
        result = scratch.result()
        if result is None:
            return "the cell's process ended without a message", None, None
        failed = account.worst_failure
        kind = failed.failure_kind if failed is not None else None
        error = scratch.without_paths(f"{result.kind}: {result.error}")
        return error, kind, result.trace
    if (kept_out := account.kept_out) is not None:
        # What the step made of the other replies would pass for what the prompt gives.
        message = f"a call got no reply: {kept_out.failure_kind}: {kept_out.failure_message}"
        return message, kept_out.failure_kind, None
    if must_ask and not account.attempts:
        return "the step ended without asking a model: nothing was measured", None, None
    return None, None, None
