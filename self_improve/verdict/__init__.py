"""Numbers in, one word out: KEEP, REJECT or INCONCLUSIVE. Nothing here opens a run."""

from self_improve.verdict.verdict import Verdict, Word, decide, word

__all__ = ["Verdict", "Word", "decide", "word"]
