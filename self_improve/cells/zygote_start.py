"""Starts a zygote with as little of Luigi as cells need, because every cell carries what it loads.

Luigi loads an HTTP client and a web server, for schedulers on other machines, if they are there. No
cell needs them, so they are hidden while Luigi is imported, and available again for the host.
"""

from __future__ import annotations

import sys
from types import ModuleType

from model_gateway import kernel
from self_improve.cells.zygote_end import ZygoteEnd
from self_improve.sandbox import confinement, namespaces

_HIDDEN = ("requests", "tornado")


def main() -> int:
    """Import Luigi alone, then be a zygote that the command's first line describes."""
    kernel.die_with_parent()
    line = ZygoteEnd(int(sys.argv[1]))
    first = line.receive()
    if first is None:
        return 2  # The command died meanwhile.
    [settings] = first
    apart: tuple[str, ...] = ()
    if settings["bounds"] is not None:
        try:
            # Before all that is large is imported: the processes that wait stay small.
            apart = namespaces.separate(confinement.known_machine())
        except (confinement.SandboxError, OSError) as error:
            line.send({"refused": str(error)})
            return 2
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    hidden = [name for name in _HIDDEN if name not in modules]
    modules.update(dict.fromkeys(hidden))
    # Imported here, because the order matters.
    import luigi  # noqa: F401

    for name in hidden:
        del modules[name]
    from self_improve.cells import zygote

    return zygote.main(line, settings, apart)


if __name__ == "__main__":
    raise SystemExit(main())
