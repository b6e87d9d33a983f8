"""The landscapes: three new models, a prompt with faults, and plans to split.

Everything is drawn from the number of the landscape. A generator and its proposer see only a
prompt, outputs and scores.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

from model_gateway.config import Model, Price
from model_gateway.providers.simulated.persona import PERSONAS
from self_improve.search.pieces import joined, split
from self_improve.search.trial import Case

TUNED = range(100)
"""Landscapes for developing a generator; never reported."""
REPORTED = range(1000, 2000)
"""Landscapes of the figures; nothing may be tuned on them."""

STEP = "identify_potential_levers"
SURFACE = "worker_plan.steps.identify_potential_levers:LEVERS_SYSTEM_PROMPT"
MODELS, TRAIN_PLANS, VERIFY_REPEATS = 3, 3, 2

_CHANCES = (
    "copy", "habit", "leak", "placeholder", "invent", "missing", "short", "duplicate",
    "near_duplicate", "repeat", "fence", "prose", "broken",
)  # fmt: skip
_SIZES = ("verbosity", "length", "item_length", "attention", "guidance", "noise", "spread")
_SPREAD = 0.35
_RULES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "copy_falloff": (0.9, 2.2),
        "habit_falloff": (0.7, 1.4),
        "mirror": (0.75, 1.0),
        "keep": (0.8, 1.0),
        "emphasis": (0.35, 0.65),
        "dilution": (2.0, 4.0),
        "invent": (0.7, 1.3),
        "heed": (0.8, 1.0),
        "slips": (0.8, 2.5),
        "leak": (1.0, 6.0),
        "placeholder": (1.0, 12.0),
        "copy": (0.9, 1.6),
    }
)
"""The strengths that landscapes differ in, with their bounds."""

_EXAMPLE = (
    "A first ferry in the dark half of the year means that the school moves its bell, and the "
    "bakers lose the hour in which they sell most."
)
_WEIGH = (
    "Think of who pays and who decides. Ask what comes first. Ask what comes later. Ask what never "
    "comes. Weigh the season. Weigh the site. Weigh the neighbours. Weigh the weather. Say what "
    "can be undone. Say what cannot. Keep what is plain. Leave out what is not. Go through it "
    "again. Look at each word. Look at each party. Look at each year. Be fair. Be brief. Be exact. "
    "Doubt the first idea. Doubt the second. Keep the third. Read it aloud. Mend it. Read it once "
    "more. Only then write. Only then send. Nothing else."
)
_ADDED = (
    "State for each lever by how many percent it changes the result, for example 15% or 40%.",
    f"One that serves as the pattern for `consequences`:\n\n> {_EXAMPLE}",
    "Write every `review_lever` as: [this choice] weighs [one thing] against [another thing].",
    'Never write "the tension between", "a core trade-off" or "in other words" in `review_lever` '
    'and never "the tension between" or "in other words" in `consequences`.',
    "`consequences`: 170 words.",
    "`options`: each has 70 words.",
    _WEIGH,
)
"""What careless authors add; a landscape's prompt contains some of these."""
_EXCHANGED = (("5 to 7", "10 to 14"), ("5 to 7", "2 to 3"), ("exactly 3", "exactly 4"))
"""Wrong counts that replace right ones."""


@dataclass(frozen=True, kw_only=True)
class Landscape:
    """One landscape. A search begins with the prompt `start`; `seed` is that of its runs."""

    number: int
    models: tuple[Model, ...]
    start: str
    seed: int
    train: tuple[str, ...]
    verify: tuple[str, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """The cases that a search may see."""
        return tuple(Case(plan=p, model=m.name) for p in self.train for m in self.models)

    @property
    def held_out(self) -> tuple[Case, ...]:
        """The cases that only the report sees."""
        return tuple(
            Case(plan=p, model=m.name, repeat=r)
            for p in self.verify
            for m in self.models
            for r in range(1, VERIFY_REPEATS + 1)
        )


def draw(number: int, *, prompt: str, train: Sequence[str], verify: Sequence[str]) -> Landscape:
    """Return landscape `number`.

    Args:
        number: one of `TUNED` or `REPORTED`.
        prompt: the step's prompt, to which faults are added.
        train: names of plans; each landscape takes a few.
        verify: names of plans that no search sees.
    """
    chance = random.Random(f"landscape {number}")  # noqa: S311 - a draw, no secret
    rules = {name: round(chance.uniform(*bounds), 3) for name, bounds in _RULES.items()}
    personas = chance.sample(sorted(PERSONAS), MODELS)
    models = tuple(_model(n, name, rules, chance) for n, name in enumerate(personas, start=1))
    return Landscape(
        number=number,
        models=models,
        start=_faulty(prompt, chance),
        seed=chance.randrange(10**6),
        train=tuple(sorted(chance.sample(sorted(train), min(TRAIN_PLANS, len(train))))),
        verify=tuple(sorted(verify)),
    )


def _model(number: int, persona: str, rules: Mapping[str, float], chance: random.Random) -> Model:
    """Return a model with a persona's parameters, each changed at random."""
    parameters: Any = PERSONAS[persona]
    traits: dict[str, float] = {}
    for field in fields(parameters):
        value, factor = getattr(parameters, field.name), chance.lognormvariate(0, _SPREAD)
        if field.name in _CHANCES:
            traits[field.name] = round(min(0.97, value * factor), 4)
        elif field.name in _SIZES:
            traits[field.name] = round(value * factor, 3)
    return Model(
        name=f"model-{number}", provider="simulated", model_id=f"simulated/{persona}",
        options={"persona": persona, "traits": traits, "rules": dict(rules)},
        workers=64, price=Price(input=0.0, output=0.0),
    )  # fmt: skip


def _faulty(prompt: str, chance: random.Random) -> str:
    """Return the prompt with fewer examples and some careless sentences."""
    pieces = split(prompt)
    examples = [n for n, piece in enumerate(pieces) if piece.example and piece.counts]
    left = set(chance.sample(examples, min(len(examples), chance.randint(0, 1))))
    text = joined([piece for n, piece in enumerate(pieces) if n in left or n not in examples])
    for old, new in chance.sample(_EXCHANGED, chance.randint(0, 1)):
        text = text.replace(old, new)
    added = chance.sample(_ADDED, chance.randint(4, 6))
    return text.rstrip() + "".join(f"\n\n{fault}" for fault in added) + "\n"
