"""Fill baseline/ of this data repo: `python populate_baseline.py --help`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    try:
        from prompt_lab.command_line import main
    except ModuleNotFoundError:
        print(
            "Plumbline is not installed in this Python. Type: python -m pip install plumbline",
            file=sys.stderr,
        )
        sys.exit(2)
    here = str(Path(__file__).resolve().parent)
    sys.exit(main(["populate", "--prompt-lab-dir", here, *sys.argv[1:]]))
