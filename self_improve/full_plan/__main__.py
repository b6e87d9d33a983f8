"""Lets `python -m self_improve.full_plan` run the command of this package."""

from self_improve.full_plan.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
