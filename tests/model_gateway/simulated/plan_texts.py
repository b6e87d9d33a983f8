"""Plan texts of our own in several scripts, for the simulated model to take its words from."""

from __future__ import annotations

from pathlib import Path

_TEXTS = {
    path.stem: path.read_text(encoding="utf-8").strip()
    for path in sorted((Path(__file__).parent / "plans").glob("*.txt"))
}
SHORT = _TEXTS["short"]
ENGLISH = _TEXTS["english"]
BY_LANGUAGE = {name: text for name, text in _TEXTS.items() if name != "short"}
