"""Lets `python -m model_gateway` run the commands of this package."""

from model_gateway.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
