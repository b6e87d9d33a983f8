"""Phase 4 of a step's first iteration: how good its outputs are."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command("run_baseline_comparison", ["baseline_comparison"], __doc__ or "")

if __name__ == "__main__":
    raise SystemExit(main())
