"""Makes `python -m prompt_lab` work."""

from __future__ import annotations

import sys

from prompt_lab.command_line import main

if __name__ == "__main__":
    sys.exit(main())
