"""Phase 1: two agents study the outputs, independently."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command("run_insight", ["insight"], __doc__ or "")

if __name__ == "__main__":
    raise SystemExit(main())
