"""Phase 4: one agent writes the page that reviewers read first."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command("run_assessment", ["assessment"], __doc__ or "")

if __name__ == "__main__":
    raise SystemExit(main())
