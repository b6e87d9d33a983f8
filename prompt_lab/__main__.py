"""Lets `python -m prompt_lab` run the commands of this package."""

from prompt_lab.command_line import main

if __name__ == "__main__":
    raise SystemExit(main())
