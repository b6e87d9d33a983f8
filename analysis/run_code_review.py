"""Phase 2: both agents review the step's source, with the insights at hand."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command("run_code_review", ["code_review"], __doc__ or "")

if __name__ == "__main__":
    raise SystemExit(main())
