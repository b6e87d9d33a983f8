"""`python -m worker_plan`."""

from worker_plan.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
