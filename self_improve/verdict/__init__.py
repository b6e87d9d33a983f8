"""Numbers in, one word out: KEEP, REJECT or INCONCLUSIVE. Nothing here opens a run."""

from self_improve.verdict.look_decision import Word
from self_improve.verdict.verdict import Verdict, decide, word

__all__ = ["Verdict", "Word", "decide", "word"]
