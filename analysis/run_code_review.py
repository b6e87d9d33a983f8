"""Phase 2: both agents review the step's source, given the insights."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import CODE_REVIEW


def main(given: Sequence[str] | None = None) -> int:
    """Run the phase and return the exit code."""
    prog = "python -m analysis.run_code_review"
    return command_line.main(given, [CODE_REVIEW], prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
