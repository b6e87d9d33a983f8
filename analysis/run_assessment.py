"""Phase 4: one agent writes the page that reviewers read first."""

from __future__ import annotations

from collections.abc import Sequence

from analysis import command_line
from analysis.phases import ASSESSMENT


def main(given: Sequence[str] | None = None) -> int:
    """Run the phase and return the exit code."""
    prog = "python -m analysis.run_assessment"
    return command_line.main(given, [ASSESSMENT], prog=prog, told=__doc__ or "")


if __name__ == "__main__":
    raise SystemExit(main())
