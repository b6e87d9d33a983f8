"""Phase 3: one agent brings both together, and names what to try next."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import SYNTHESIS


def main(given: Sequence[str] | None = None) -> int:
    """Run the phase and return the exit code."""
    prog = "python -m analysis.run_synthesis"
    return command_line.main(given, [SYNTHESIS], prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
