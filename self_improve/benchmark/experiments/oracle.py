"""The oracle: a long climb that knows the rules and estimates what a landscape allows.

It knows which forms the simulation responds to (docs/simulated_model.md): examples of different
structure, counts as ranges, fields named again in backticks, no percent sign, no brackets, no
quoted phrase, a length of the model's own. It edits exactly these, always scores on all cases, and
takes any gain. It may use more step calls than any search. No generator and no proposer may import
this.
"""

from __future__ import annotations

from collections.abc import Iterator

from self_improve.search.pieces import Piece, joined, numbers, split
from self_improve.search.trial import Proposal, Scored, Trial

_PROMPT_EXAMPLES = (
    "Whoever signs the first grazing lease sets the rent for all who come later, and none of the "
    "three courses says who that will be.",
    "Rehearsal rooms that cost little and neighbours who want to sleep: the second half of this "
    "is treated as a detail.",
    "Missing is the year in which the half-trained dispatchers are already paid but may not yet "
    "work alone.",
    "Should the reef survey slip past the monsoon, two of these courses become one and the same.",
    "Nobody asks the ferry crews; they would carry the cost, quietly, for two winters or three.",
    "If the glaze fails, then what? A kiln has no second course, only a later one; the plan says "
    "neither who pays for the wait nor how long it may last.",
    "Three choirs, one organ, and no word on Sundays.",
    "It reads well; yet the permit, the insurance and the tide table are each someone else's.",
)
_STATEMENTS = (
    "`options`: exactly 3.",
    "Give 5 to 7 `levers`.",
    "Each of the 3 `options` is a whole sentence.",
    "`name`: every one different from all others.",
    "`review_lever`: 1 or 2 sentences.",
    "`consequences`: 2 or 3 sentences.",
    "`options`: each one 1 sentence.",
)
_FIELDS = ("review_lever", "consequences", "options")


class Oracle:
    """Climbs by every known form until none gains.

    `prompt` is the text from which the landscape's faulty one was derived.
    """

    name = "oracle"

    def __init__(self, prompt: str) -> None:
        self._prompt = prompt

    async def search(self, trial: Trial) -> None:
        """Begin with the best whole text, then try edits repeatedly and keep the better text."""
        [best] = await trial.score([trial.baseline], trial.cases)
        [surface] = trial.searched
        for text in _whole(self._prompt):
            best = await self._better(trial, best, surface, text)
        while True:
            before = best
            edits = list(_edits(best.proposal.texts[surface]))
            trial.random.shuffle(edits)
            for number, text in enumerate(edits):
                if number and best is not before and number % 12 == 0:
                    break
                best = await self._better(trial, best, surface, text)
            if best is before:
                trial.note("no known edit gains any more")
                return

    async def _better(self, trial: Trial, best: Scored, surface: str, text: str) -> Scored:
        proposal: Proposal | None = trial.admit(
            {surface: text}, operator="oracle", parents=[best.proposal]
        )
        if proposal is None:
            return best
        # Half of the cases show what is hopeless.
        half = trial.cases[::2]
        [some] = await trial.score([proposal], half)
        if (some.on(half) or 0.0) < (best.on(half) or 0.0) - 0.01:
            return best
        [one] = await trial.score([proposal], trial.cases)
        return one if (one.on(trial.cases) or 0.0) > (best.on(trial.cases) or 0.0) else best


def _whole(prompt: str) -> Iterator[str]:
    """Yield the prompt without its faults, and others with all known forms."""
    yield prompt
    without = joined([piece for piece in split(prompt) if not piece.example])
    yield without
    for count in (3, len(_PROMPT_EXAMPLES)):
        quoted = "".join(f"\n> {one}\n" for one in _PROMPT_EXAMPLES[:count])
        yield f"{without.rstrip()}\n{quoted}"
        yield f"{without.rstrip()}\n{quoted}\n{chr(10).join(_STATEMENTS)}\n"
        yield f"{chr(10).join(_STATEMENTS)}\n{quoted}"


def _edits(text: str) -> Iterator[str]:
    """Yield texts that differ from `text` in one form that the simulation responds to."""
    pieces = split(text)
    counting = [n for n, piece in enumerate(pieces) if piece.counts]
    for index in counting:
        yield joined(pieces[:index] + pieces[index + 1 :])
    for example in _PROMPT_EXAMPLES:
        if example not in text:
            for name in _FIELDS[:2]:
                yield f"{text.rstrip()}\n\n`{name}`:\n\n> {example}\n"
            yield f"{text.rstrip()}\n\n> {example}\n"
    for statement in _STATEMENTS:
        yield f"{text.rstrip()}\n{statement}\n"
    for start, end, value in numbers(text):
        for other in {3, 5, 7, value // 2} - {0, value}:
            yield f"{text[:start]}{other}{text[end:]}"
    plain = [
        piece for piece in pieces
        if not set(piece.text) & set('%[]"')
    ]  # fmt: skip
    yield joined(plain)
    yield joined([*plain, *(Piece(text=f"\n> {one}\n") for one in _PROMPT_EXAMPLES[:5])])
