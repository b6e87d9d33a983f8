"""Phase 4 of a step's first iteration: where it stands."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import BASELINE_COMPARISON


def main(given: Sequence[str] | None = None) -> int:
    """Run the phase and return the exit code."""
    prog = "python -m analysis.run_baseline_comparison"
    return command_line.main(given, [BASELINE_COMPARISON], prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
