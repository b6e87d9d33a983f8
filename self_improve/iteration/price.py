"""What an iteration may cost, phase by phase: from what is certain to what is possible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from analysis import choice as agent_choice
from analysis.errors import AnalysisError
from analysis.program import PROGRAMS
from model_gateway.attempt import Attempt
from model_gateway.config import Model
from model_gateway.ping import TOKENS as PING_TOKENS
from self_improve.iteration import opinions
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.implementing import choice
from self_improve.iteration.implementing.model_implementer import REPLY_TOKENS as CODE_TOKENS
from self_improve.iteration.judgement import rubric_of
from self_improve.iteration.phase_probes import asking_steps, plans_in, probes
from self_improve.iteration.proposing.from_search import CELLS_A_CANDIDATE
from self_improve.iteration.request import IterationRequest
from self_improve.runs.estimate import AttemptsByPlan, RunEstimate
from self_improve.runs.preparation import Prepared
from self_improve.runs.relay import readers_of
from self_improve.search.proposer_calls import REPLY_TOKENS

_FIRST_LOOK = 0.2
_BYTES_A_TOKEN = 4
_PROPOSER_TOKENS = (4000, 30_000)
_AGENT_CALLS = (6, 12)
_AGENT_TOKENS = (5000, 60_000)
_JUDGE_TOKENS = (500, 4000)
_CODE_TOKENS_IN = (5000, 60_000)
_AROUND_OUTPUTS = 1500


@dataclass(frozen=True, kw_only=True)
class Range:
    """Calls and US dollars, from the least to the most; dollars are None if they are unknown."""

    calls: tuple[int, int] = (0, 0)
    dollars: tuple[float, float] | None = (0.0, 0.0)

    def __add__(self, other: Range) -> Range:
        dollars = None
        if self.dollars is not None and other.dollars is not None:
            dollars = self.dollars[0] + other.dollars[0], self.dollars[1] + other.dollars[1]
        calls = self.calls[0] + other.calls[0], self.calls[1] + other.calls[1]
        return Range(calls=calls, dollars=dollars)

    def from_nothing(self) -> Range:
        """Return the range of what may not happen at all."""
        dollars = None if self.dollars is None else (0.0, self.dollars[1])
        return Range(calls=(0, self.calls[1]), dollars=dollars)

    def cells(self) -> tuple[str, str]:
        """Return calls and dollars as texts."""
        calls = _spread(f"{self.calls[0]}", f"{self.calls[1]}")
        if self.dollars is None:
            return calls, "unknown"
        return calls, _spread(f"{self.dollars[0]:.4f}", f"{self.dollars[1]:.4f}")


@dataclass(frozen=True, kw_only=True)
class IterationPrice:
    """The ranges of the phases that are left, by name, each with when it is spent."""

    phases: Mapping[str, tuple[Range, str]]

    @property
    def total(self) -> Range:
        """All phases together."""
        return sum((one for one, _ in self.phases.values()), Range())

    def text(self) -> str:
        """Return a table for people."""
        rows = [("phase", "calls", "US dollars", "")]
        rows += [(name, *one.cells(), note) for name, (one, note) in self.phases.items()]
        rows.append(("in all", *self.total.cells(), "without retries"))
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        return "\n".join(
            "  ".join(
                [*(c.ljust(w) for c, w in zip(row[:3], widths, strict=True)), row[3]]
            ).rstrip()
            for row in rows
        )


async def price_of(
    request: IterationRequest,
    work: Prepared,
    side: RunEstimate,
    folder: IterationFolder | None = None,
    *,
    directions: int = 0,
) -> IterationPrice:
    """Return what an iteration may cost; of one that was begun, what is left.

    Args:
        request: of the iteration.
        work: the pipeline of the baseline's code.
        side: the cells of one side on the train plans.
        folder: of the iteration, if it was begun.
        directions: how many directions of a synthesis need code.
    """
    attempts = await probes(request, work)
    tokens = _Tokens(request=request, work=work, attempts=attempts)
    train, candidates = tokens.of_side(side), max(1, request.candidates + directions)
    rows = [
        *_proposing(request, train, side.cells, directions),
        *_measuring(request, train, candidates + 1),
        *_checking(request, tokens),
        *_asking(request, tokens, side.cells),
    ]
    phases = {
        name: (one, note)
        for phase, name, one, note in rows
        if folder is None or folder.result(phase) is None
    }
    return IterationPrice(phases=phases)


_Row = tuple[str, str, Range, str]
"""The phase that a price is of, its name in the table, the price, and when it is spent."""


def _proposing(
    request: IterationRequest, train: Range, cells: int, directions: int
) -> Iterator[_Row]:
    most = request.candidates * CELLS_A_CANDIDATE
    if most:
        search = _times(train, (1.0, 1.0 + most / max(1, cells)))
        yield "propose", "search", search, f"the step in up to {most} cells"
    if most or request.from_synthesis:
        calls = (max(1, request.candidates), most or 1 + directions)
        asked = _calls(request.proposer, calls, _PROPOSER_TOKENS, REPLY_TOKENS)
        yield "propose", "proposer", asked, "one call or more for each proposal"
    if directions:
        yield "implement", "code", _code(request, directions), "for directions that need code"


def _measuring(request: IterationRequest, train: Range, sides: int) -> Iterator[_Row]:
    if request.skip_runner:
        return
    least = sides * (_FIRST_LOOK if request.early_stop else 1.0)
    yield "run", "sides", _times(train, (least, sides)), f"{sides} sides on the train plans"
    remote = [model for model in request.run.models if not model.is_embedded]
    pings = _sum(_calls(model, (1, 3), (1, 1), (1, PING_TOKENS)) for model in remote)
    yield "run", "pings", pings, "each model"


def _checking(request: IterationRequest, tokens: _Tokens) -> Iterator[_Row]:
    when = "only after a KEEP"
    yield "verify", "verify", tokens.of_verify().from_nothing(), when
    if not request.skip_downstream:
        yield "downstream", "downstream", tokens.of_downstream().from_nothing(), when
    if not request.skip_spot_check:
        again = f"{when}; a step that fails in it is tried again"
        yield "spot_check", "spot check", tokens.of_spot_check().from_nothing(), again


def _asking(request: IterationRequest, tokens: _Tokens, cells: int) -> Iterator[_Row]:
    if request.analyse == "never":
        return
    always = request.analyse == "always"
    when = "always" if always else "only where the numbers do not decide"
    for name, one in (("agents", _agents(request)), ("judge", tokens.of_judge(cells))):
        yield "analyse", name, one if always else one.from_nothing(), when


@dataclass(frozen=True, kw_only=True)
class _Tokens:
    """Prices what was probed for the models of an iteration."""

    request: IterationRequest
    work: Prepared
    attempts: AttemptsByPlan

    @staticmethod
    def of_side(side: RunEstimate) -> Range:
        """Return the cells of one side."""
        dollars = None if side.dollars is None else (side.dollars, side.dollars)
        return Range(calls=(side.calls, side.calls), dollars=dollars)

    def of_verify(self) -> Range:
        """Return both sides on the verify plans."""
        step, repeats = self.request.step, self.request.run.repeats
        names = [plan.name for plan in plans_in(self.request.layout.split("verify"))]
        return _sum(
            _times(self._cells(model, step, names), (1, 2 * repeats))
            for model in self.request.run.models
        )

    def of_downstream(self) -> Range:
        """Return the steps that read the outputs, on both sides."""
        readers = readers_of(self.work.pipeline, self.request.step)
        names = list(self.work.specifications[0].inputs)
        return _sum(
            _times(self._cells(model, facts.name, names), (1, 2))
            for facts in readers for model in self.request.run.models
        )  # fmt: skip

    def of_spot_check(self) -> Range:
        """Return a whole plan, at most on both sides."""
        names = [plan.name for plan in plans_in(self.request.layout.split("verify"))[:1]]
        model = self.request.run.models[0]
        return _sum(
            _times(self._cells(model, facts.name, names), (1, 2))
            for facts in asking_steps(self.work.pipeline.steps.values())
        )

    def of_judge(self, cells: int) -> Range:
        """Return the judge's calls on the pairs of the cells, each in both orders."""
        if not rubric_of(self.request.step).questions:
            return Range()
        pairs = min(opinions.MOST_PAIRS, cells)
        texts = [
            len(a.text.encode()) for (step, _), attempts in self.attempts.items()
            for a in attempts if step == self.request.step
        ]  # fmt: skip
        shown = _AROUND_OUTPUTS + 2 * sum(texts) // max(1, len(texts)) // _BYTES_A_TOKEN
        tokens_in = (shown, shown + 5000)
        return _calls(self.request.judge, (2 * pairs, 2 * pairs), tokens_in, _JUDGE_TOKENS)

    def _cells(self, model: Model, step: str, names: Sequence[str]) -> Range:
        """Return one cell of a step on each of the plans."""
        asked = list(chain.from_iterable(self.attempts.get((step, name), []) for name in names))
        tokens_out = sum(a.output_tokens or 0 for a in asked)
        cost = model.cost(sum(map(_size, asked)), 2 * tokens_out)
        least = model.cost(sum(map(_size, asked)), tokens_out)
        calls = len(asked), len(asked)
        is_unknown = cost is None or least is None or (names and not asked)
        dollars = None if is_unknown else (least or 0.0, cost or 0.0)
        return Range(calls=calls, dollars=dollars)


def _size(attempt: Attempt) -> int:
    return attempt.input_tokens or 0


def _agents(request: IterationRequest) -> Range:
    """Return what two agents cost: a model by its calls, a program up to its maximum."""
    try:
        names = agent_choice.names(request.agents, simulated=request.simulated)
    except AnalysisError:
        return Range()
    total = Range()
    for name in names:
        program = PROGRAMS.get(name)
        if program is None:
            model = request.run.catalogue.find(name)
            total += _calls(model, _AGENT_CALLS, _AGENT_TOKENS, REPLY_TOKENS)
        else:
            most = program.maximum
            total += Range(calls=(1, 4 * most.calls), dollars=(0.0, 4 * most.dollars))
    return total


def _code(request: IterationRequest, count: int) -> Range:
    name = choice.name_of(request)
    program = PROGRAMS.get(name)
    if program is None:
        model = request.run.catalogue.find(name)
        return _calls(model, (2 * count, 2 * count), _CODE_TOKENS_IN, CODE_TOKENS)
    most = program.maximum
    return Range(calls=(count, count * most.calls), dollars=(0.0, count * most.dollars))


def _calls(
    model: Model,
    calls: tuple[int, int],
    tokens_in: tuple[int, int],
    tokens_out: int | tuple[int, int],
) -> Range:
    """Return calls of a model whose replies have up to `tokens_out` tokens, an eighth at least."""
    out = tokens_out if isinstance(tokens_out, tuple) else (max(1, tokens_out // 8), tokens_out)
    costs = [model.cost(n * i, n * o) for n, i, o in zip(calls, tokens_in, out, strict=True)]
    least, most = costs
    return Range(calls=calls, dollars=None if least is None or most is None else (least, most))


def _times(one: Range, factors: tuple[float, float]) -> Range:
    least, most = factors
    calls = round(one.calls[0] * least), round(one.calls[1] * most)
    dollars = None if one.dollars is None else (one.dollars[0] * least, one.dollars[1] * most)
    return Range(calls=calls, dollars=dollars)


def _sum(ranges: Iterable[Range]) -> Range:
    return sum(ranges, Range())


def _spread(least: str, most: str) -> str:
    return least if least == most else f"{least} to {most}"
