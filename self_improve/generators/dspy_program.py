"""The step as a DSPy program, and DSPy's model calls as calls to our proposer."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, create_model

from model_gateway.call import Call
from model_gateway.material import block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import REPLY_TOKENS
from self_improve.search.thread_bridge import Bridge
from self_improve.search.trial import Case, CellOutcome, Proposal, Trial

TRAIN, VALIDATION = "train", "validation"
DEMONSTRATIONS = 4
_LINES = 2
_LONGEST = 900
_PROPOSED, _BASIC = "proposed_instruction", "basic_instruction"


class DspyTask:
    """The inputs of DSPy (student, examples, metric), and its connection to a trial.

    The student has one predictor for each searched text, whose instructions are that text. When
    DSPy evaluates one validation example, all of them are scored concurrently.
    """

    def __init__(self, trial: Trial, bridge: Bridge, base: Sequence[CellOutcome]) -> None:
        self._trial = trial
        self._bridge = bridge
        self._cases = {case.id: case for case in trial.cases}
        self._plans = {outcome.case.id: outcome.plan[:_LONGEST] for outcome in base}
        first = self._texts([trial.baseline.texts[s] for s in trial.searched], ())
        self._proposals: dict[tuple[str, ...], Proposal | None] = {self._key(first): trial.baseline}
        self._calls = 0
        # The package is an extra and takes seconds to import; most searches do not need it.
        self.dspy: Any = importlib.import_module("dspy")

    def examples(self, name: str) -> list[Any]:
        """Return the cases as examples of the set called `name`; sets share no id."""
        return [
            self.dspy.Example(case_id=f"{name}/{case}", plan=self._plans[case]).with_inputs(
                "case_id", "plan"
            )
            for case in self._cases
        ]

    def student(self) -> Any:
        """Return the step as a program."""
        dspy, predict, searched = self.dspy, self._predict, self._trial.searched

        # DSPy copies it deeply and often, so it holds neither trial nor bridge.
        class Step(dspy.Module):  # type: ignore[misc,name-defined]
            def __init__(self) -> None:
                super().__init__()
                for number, surface in enumerate(searched):
                    text = self_texts[surface]
                    signature = dspy.Signature("case_id, plan -> written", text)
                    setattr(self, f"text_{number}", dspy.Predict(signature))

            def forward(self, case_id: str, plan: str) -> Any:
                parts = [getattr(self, f"text_{n}") for n in range(len(searched))]
                texts = [part.signature.instructions for part in parts]
                demos = [demo for part in parts for demo in part.demos]
                written, score = predict(case_id, texts, demos)
                if dspy.settings.trace is not None:
                    inputs = {"case_id": case_id, "plan": plan}
                    for part in parts:
                        dspy.settings.trace.append((part, inputs, {"written": written}))
                return dspy.Prediction(written=written, score=score)

        self_texts = self._trial.baseline.texts
        return Step()

    @staticmethod
    def metric(example: Any, prediction: Any, trace: Any = None) -> float:  # noqa: ARG004
        """Return the score of a cell; a failed one counts 0."""
        return float(prediction.score)

    def compiled(self, work: Callable[[], None]) -> None:
        """Run a compilation of DSPy's with our proposer in place of its model, silently."""
        with _silent(), self.dspy.context(lm=self.lm, adapter=self._adapter()):
            work()

    @property
    def lm(self) -> Any:
        """A model object that is never called, because the adapter answers first."""
        return self.dspy.BaseLM(model="plumbline/proposer")

    def _adapter(self) -> Any:
        answer = self._answer

        class Ours(self.dspy.Adapter):  # type: ignore[misc,name-defined]
            def __call__(self, *_: Any, **arguments: Any) -> list[dict[str, str]]:
                return [answer(arguments["signature"], arguments["inputs"])]

        return Ours()

    def _answer(self, signature: Any, inputs: Mapping[str, Any]) -> dict[str, str]:
        """Send a question of DSPy to its prompt model to our proposer instead."""
        self._calls += 1
        outputs = list(signature.output_fields)
        parts = [
            proposer_calls.prompt_block(self._surface_of(str(value)), str(value))
            if name == _BASIC
            else block(name, str(value))
            for name, value in inputs.items()
        ]
        call: Call[BaseModel] = Call(
            key=f"dspy_{self._calls}",
            system=str(signature.instructions),
            user="\n\n".join(parts),
            schema=_schema(outputs),
            max_output_tokens=REPLY_TOKENS,
        )
        reply = self._bridge.ask("dspy", call)
        values: dict[str, Any] = reply.value.model_dump() if reply.value is not None else {}
        if outputs == [_PROPOSED]:
            return {_PROPOSED: str(values.get("text", ""))}
        return {name: str(values.get(name, "")) for name in outputs}

    def _surface_of(self, text: str) -> str:
        texts = self._trial.baseline.texts
        return next((s for s in self._trial.searched if texts[s] == text), self._trial.searched[0])

    def _predict(
        self, case_id: str, texts: Sequence[str], demos: Sequence[Any]
    ) -> tuple[str, float]:
        """Return the step's output in a case, as lines to quote, and its score."""
        name, _, case = case_id.partition("/")
        lines = [line for demo in demos for line in str(demo.written).splitlines()]
        proposal = self._admit(self._texts(texts, lines), lines)
        if proposal is None:
            return "", 0.0
        cases: list[Case] = list(self._cases.values()) if name == VALIDATION else []
        [scored] = self._bridge.score([proposal], cases or [self._cases[case]])
        outcome = scored.outcomes[case]
        written = "\n".join(proposer_calls.demonstrations([outcome])[:_LINES])
        return written, outcome.score or 0.0

    def _texts(self, texts: Sequence[str], lines: Sequence[str]) -> dict[str, str]:
        """Return the texts by surface, with demonstrations quoted behind the longest."""
        by_surface = dict(zip(self._trial.searched, texts, strict=True))
        main = proposer_calls.main_surface(self._trial)
        quoted = proposer_calls.with_quotes(by_surface[main], dict.fromkeys(lines))
        return {**by_surface, main: quoted}

    def _admit(self, texts: dict[str, str], lines: Sequence[str]) -> Proposal | None:
        key = self._key(texts)
        if key not in self._proposals:
            self._proposals[key] = self._bridge.admit(
                texts, operator="dspy", parents=[self._trial.baseline],
                change=f"DSPy's instructions, with {len(lines)} lines of demonstrations",
                demonstrations=list(lines),
            )  # fmt: skip
        return self._proposals[key]

    def _key(self, texts: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(texts[surface].strip() for surface in self._trial.searched)


def _schema(outputs: Sequence[str]) -> type[BaseModel]:
    if list(outputs) == [_PROPOSED]:
        return proposer_calls.Variant
    fields: dict[str, Any] = {
        name: (str, Field(default="", description="Plain text.")) for name in outputs
    }
    return create_model("Answer", **fields)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep DSPy's prints, progress bars and log lines from the terminal."""
    log = logging.getLogger("dspy")
    level = log.level
    log.setLevel(logging.CRITICAL)
    nowhere = io.StringIO()
    try:
        with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
            yield
    finally:
        log.setLevel(level)
