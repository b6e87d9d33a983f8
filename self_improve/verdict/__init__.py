"""Numbers in, one word out: KEEP, REJECT or INCONCLUSIVE. Nothing here opens a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from self_improve.verdict.look_decision import Word
    from self_improve.verdict.verdict import Verdict, decide, word

__all__ = ["Verdict", "Word", "decide", "word"]


def __getattr__(name: str) -> Any:
    """Import what decides when it is asked for: its statistics take a second."""
    if name not in __all__:
        raise AttributeError(name)
    # Imported here because what a run says before it begins needs no statistics.
    from self_improve.verdict import look_decision, verdict

    return look_decision.Word if name == "Word" else getattr(verdict, name)
