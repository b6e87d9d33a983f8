"""What a cell's recorded attempts sent and got is read as the step read it."""

from __future__ import annotations

import json
from pathlib import Path

from model_gateway.replies import Mend
from self_improve.records.attempt_index import AttemptIndex
from tests.model_gateway.rows import an_attempt

FIG = {"name": "fig", "seeds": [1, 2]}
DRAFT = {"name": "plum", "seeds": []}


def test_replies_are_the_values_that_the_step_got(tmp_path: Path) -> None:
    """Without reasoning, and out of the list or the wrapper that was mended."""
    texts = {
        "thought": (f"<think>{json.dumps(DRAFT)}</think>{json.dumps(FIG)}", []),
        "listed": (json.dumps([FIG]), [Mend.list_of_one]),
        "wrapped": (json.dumps({"reply": FIG, "status": "ok"}), [Mend.wrapper_key]),
        "quoted": (json.dumps(json.dumps(FIG)), [Mend.json_in_string]),
        "plain": (json.dumps({"reply": FIG}), []),
    }
    path = tmp_path / "attempts.jsonl"
    attempts = [
        an_attempt(key=key, text=text, mended=[str(mend) for mend in mends], schema={})
        for key, (text, mends) in texts.items()
    ]
    path.write_text("".join(json.dumps(attempt.to_row()) + "\n" for attempt in attempts))
    assert list(AttemptIndex(path).sent("silo", 0).replies) == [FIG] * 4 + [{"reply": FIG}]
