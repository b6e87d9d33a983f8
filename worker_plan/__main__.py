"""Lets `python -m worker_plan` run the commands of this package."""

from worker_plan.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
