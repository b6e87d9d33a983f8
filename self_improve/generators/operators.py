"""Single edits without a model: drop, shorten, reorder, tighten, loosen, add or swap an example.

Source: the house's own; the edits follow the operators of GRIPS (Prasad et al. 2023, delete, swap,
add) and those that small local models can follow. One edit a proposal, so that its effect has one
cause. Adapted: pieces are found by the punctuation of any script, never by words.

Defaults: 4 edits a round, tried on 1 case, the better ones on 2 more, the best one on all.

Needs: nothing: it calls no model.

Costs: 4 to 12 cells a round, and all cases for an edit that is better; it ends when no edit is
left.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from self_improve.search import proposer_calls
from self_improve.search.pieces import Piece, joined, numbers, split
from self_improve.search.racing import race
from self_improve.search.trial import Proposal, Scored, Trial

EDITS, BATCH, SURVIVORS = 4, 3, 1
_TRIES = 12

Edited = tuple[str, str] | None
"""The new text and the change in words, or None where the edit finds nothing to do."""
Edit = Callable[[str, Random, str], Edited]


def drop(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Remove one piece."""
    pieces = split(text)
    indices = [n for n, piece in enumerate(pieces) if piece.counts]
    if len(indices) < 2:
        return None
    index = random.choice(indices)
    return joined(pieces[:index] + pieces[index + 1 :]), f"drop: {_quote(pieces[index])}"


def shorten(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Remove the last sentence of a list item or a paragraph."""
    pieces = split(text)
    indices = [
        n
        for n, piece in enumerate(pieces)
        if piece.counts
        and n
        and piece.text.endswith("\n")
        and not pieces[n - 1].text.endswith("\n")
    ]
    if not indices:
        return None
    index = random.choice(indices)
    before = pieces[index - 1]
    last = Piece(text=before.text.rstrip() + "\n", example=before.example, item=before.item)
    rest = [*pieces[: index - 1], last, *pieces[index + 1 :]]
    return joined(rest), f"shorten: {_quote(pieces[index])}"


def reorder(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Move one list item to another position in its list."""
    pieces = split(text)
    starts = [n for n, piece in enumerate(pieces) if piece.item]
    if len(starts) < 2:
        return None
    ends = [*starts[1:], _end_of_list(pieces, starts[-1])]
    items = [pieces[a:b] for a, b in zip(starts, ends, strict=True)]
    source = random.randrange(len(items))
    target = random.choice([n for n in range(len(items)) if n != source])
    moved = items.pop(source)
    items.insert(target, moved)
    flat = [piece for item in items for piece in item]
    return joined(pieces[: starts[0]] + flat + pieces[ends[-1] :]), f"reorder: {_quote(moved[0])}"


def tighten(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Lower one number by one."""
    return _changed_number(text, random, -1)


def loosen(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Raise one number by one."""
    return _changed_number(text, random, 1)


def add_example(text: str, random: Random, example: str) -> Edited:  # noqa: ARG001
    """Add an example, quoted, at the end."""
    if not example:
        return None
    return f"{text.rstrip()}\n\n> {example}\n", "add an example"


def swap_example(text: str, random: Random, example: str) -> Edited:
    """Replace one example by another."""
    pieces = split(text)
    indices = [n for n, piece in enumerate(pieces) if piece.example and piece.counts]
    if not example or not indices:
        return None
    index = random.choice(indices)
    old = pieces[index]
    tail = old.text[len(old.text.rstrip("\n")) :]
    pieces[index] = Piece(text=f"> {example}{tail}", example=True)
    return joined(pieces), f"swap: {_quote(old)}"


ALL: tuple[Edit, ...] = (drop, shorten, reorder, tighten, loosen, add_example, swap_example)


class Operators:
    """Climbs from the best so far by single edits."""

    name = "operators"

    async def search(self, trial: Trial) -> None:
        """Edit, race, and continue from the better text."""
        [best] = await trial.score([trial.baseline], trial.cases)
        while True:
            edits = 10 if trial.small else EDITS
            proposals = [one for _ in range(edits) if (one := propose(trial, best)) is not None]
            if not proposals:
                trial.note("no edit is left that was not tried")
                return
            better = await race(trial, best, proposals, size=BATCH, survivors=SURVIVORS)
            best = better[0] if better else best


def propose(trial: Trial, parent: Scored) -> Proposal | None:
    """Return one new edit of a searched surface, or None if no attempt gave one."""
    for _ in range(_TRIES):
        surface = trial.random.choice(list(trial.searched))
        edit = trial.random.choice(ALL)
        example = _example(trial, parent)
        edited = edit(parent.proposal.texts[surface], trial.random, example)
        if edited is None:
            continue
        text, change = edited
        proposal = trial.admit(
            {surface: text}, operator=edit.__name__, parents=[parent.proposal], change=change,
            demonstrations=[example] if edit in {add_example, swap_example} else [],
        )  # fmt: skip
        if proposal is not None:
            return proposal
    return None


def _example(trial: Trial, parent: Scored) -> str:
    """Return a text of one of the step's better outputs, as a demonstration."""
    texts = proposer_calls.demonstrations(parent.outcomes.values())
    return trial.random.choice(texts) if texts else ""


def _changed_number(text: str, random: Random, by: int) -> Edited:
    changeable = [n for n in numbers(text) if n[2] + by >= 1]
    if not changeable:
        return None
    start, end, value = random.choice(changeable)
    word = "tighten" if by < 0 else "loosen"
    context = json.dumps(text[max(0, start - 20) : end + 20])
    change = f"{word}: {value} becomes {value + by} in {context}"
    return f"{text[:start]}{value + by}{text[end:]}", change


def _end_of_list(pieces: list[Piece], start: int) -> int:
    """Return the index after the last item: where its line ends."""
    for index in range(start, len(pieces)):
        if pieces[index].text.endswith("\n"):
            return index + 1
    return len(pieces)


def _quote(piece: Piece) -> str:
    return json.dumps(" ".join(piece.text.split())[:80], ensure_ascii=False)
