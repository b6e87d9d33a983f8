"""Phase 1: two agents look at the outputs, independently."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import INSIGHT


def main(given: Sequence[str] | None = None) -> int:
    """Run the phase and return the exit code."""
    prog = "python -m analysis.run_insight"
    return command_line.main(given, [INSIGHT], prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
