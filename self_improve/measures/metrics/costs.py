"""What a cell cost, one metric a figure of its row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement
from self_improve.measures.subject import Subject

Facts = Mapping[str, float | None]


class Cost:
    """A metric that reads a cell's facts, and says what it is."""

    def __init__(self, what: str, unit: str, value: Callable[[Facts], float | None]) -> None:
        self.UNIT, self.RANGE = unit, (0.0, float("inf"))
        self.__doc__ = (
            f"{what}: a cost, not a quality.\n\nUnit: {unit}. Range: 0 and up, lower is better. "
            "Undefined where the record does not say.\nSource: the cell's row."
        )
        self._value = value

    def measure(self, subject: Subject, use: MetricUse) -> Measurement | None:  # noqa: ARG002 - the Protocol's
        """Return the figure."""
        value = self._value(subject.facts)
        return None if value is None else Measurement(value)


def _latency(facts: Facts) -> float | None:
    seconds, calls = facts.get("seconds"), facts.get("calls")
    return seconds / calls if seconds is not None and calls else None


def _retries(facts: Facts) -> float | None:
    attempts, calls = facts.get("attempts"), facts.get("calls")
    return None if attempts is None or calls is None else max(attempts - calls, 0.0)


def _fact(name: str) -> Callable[[Facts], float | None]:
    return lambda facts: facts.get(name)


METRICS = {
    "cost": Cost("US dollars that the cell's attempts cost", "US dollars", _fact("cost")),
    "input_tokens": Cost("Tokens that the cell's attempts sent", "tokens", _fact("input_tokens")),
    "latency": Cost(
        "Seconds a call, without waiting for a turn at the model", "seconds a call", _latency
    ),
    "output_tokens": Cost(
        "Tokens that the cell's attempts received, thinking included", "tokens",
        _fact("output_tokens"),
    ),
    "prompt_chars": Cost(
        "Characters of the step's own prompt, without the text of the plan", "characters",
        _fact("prompt_chars"),
    ),
    "retries": Cost("Attempts beyond the first of each call", "attempts", _retries),
}  # fmt: skip
