"""Phase 3: one agent combines both reviews and names what to try next."""

from __future__ import annotations

from analysis.command_line import phase_command

main = phase_command("run_synthesis", ["synthesis"], __doc__ or "")

if __name__ == "__main__":
    raise SystemExit(main())
