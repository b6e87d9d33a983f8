"""All phases with agents, in order; it goes on where it was stopped, and stops when one fails."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import ALL


def main(given: Sequence[str] | None = None) -> int:
    """Run all phases and return the exit code."""
    prog = "python -m analysis.run_analysis"
    return command_line.main(given, ALL, prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
