"""Starts a zygote with as little of Luigi as cells need, because every cell carries what it loads.

Luigi loads an HTTP client and a web server, for schedulers on other machines, if they are there. No
cell needs them, so they are hidden while Luigi is imported, and available again for the host.
"""

from __future__ import annotations

import sys
from types import ModuleType

_HIDDEN = ("requests", "tornado")


def main() -> int:
    """Import Luigi alone, then be a zygote."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    hidden = [name for name in _HIDDEN if name not in modules]
    modules.update(dict.fromkeys(hidden))
    # Imported here, because the order matters.
    import luigi  # noqa: F401

    for name in hidden:
        del modules[name]
    from self_improve.cells import zygote

    return zygote.main()


if __name__ == "__main__":
    raise SystemExit(main())
