"""All phases with agents, in order; it resumes, and stops when one fails."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command(
    "run_analysis", ["insight", "code_review", "synthesis", "assessment"], __doc__ or ""
)

if __name__ == "__main__":
    raise SystemExit(main())
