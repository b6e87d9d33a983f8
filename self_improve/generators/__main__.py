"""`python -m self_improve.generators`: list what can propose candidates."""

from __future__ import annotations

from self_improve.generators.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
