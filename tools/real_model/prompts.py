"""Prompts to be judged on a small model: those that ship, three damaged and three improved ones.

The improved ones are written for a model of 135 million parameters: short, without choices to
weigh, with the form of the answer at the end. Whether they are better is what is to be found out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from worker_plan.steps import currency_strategy, identify_purpose, plan_type, redline_gate

_LANGUAGE = "Write in the language of the plan."
_CORES = {
    "identify_purpose": (
        "Read the plan. Say what it is about and what it is for.\n\n"
        "- `topic`: a heading of 3 to 10 words, with words of the plan.\n"
        "- `purpose_detailed`: one sentence: who wants what, and what for.\n"
        "- `purpose`: `business`, `personal` or `other`.\n"
    ),
    "plan_type": (
        "Read the plan. Say which places, things or people it needs.\n\n"
        "- `explanation`: two sentences that name places, things and people of this plan.\n"
        "- `plan_type`: `physical` if it needs any of them, otherwise `digital`.\n"
    ),
    "redline_gate": (
        "Read the plan. Say whether it is harmless.\n\n"
        "- `verdict`: `ALLOW` for a harmless plan, `REFUSE` for one that would do serious harm.\n"
        "- `rationale_short`: one sentence: what the plan does, and why that harms nobody.\n"
        "- The other fields: null and false, unless you refuse.\n"
    ),
    "currency_strategy": (
        "Read the plan. Say in which money it is paid.\n\n"
        "- `money_involved`: true if anything is paid.\n"
        "- `currency_list`: the currency of the country of the plan, such as USD or EUR.\n"
        "- `primary_currency`: its code.\n"
        "- `currency_strategy`: one sentence: what is paid in it.\n"
    ),
}
_TEXTS_OF_REPLY = {
    "identify_purpose": "`purpose_detailed`",
    "plan_type": "`explanation`",
    "redline_gate": "`rationale_short`",
    "currency_strategy": "`currency_strategy`",
}


@dataclass(frozen=True, kw_only=True)
class SmallStep:
    """A step that a small model may be able to do, and the constant with its prompt."""

    name: str
    constant: str
    prompt: str


def _step(module: Any, constant: str) -> SmallStep:
    name = module.__name__.rpartition(".")[2]
    return SmallStep(name=name, constant=constant, prompt=getattr(module, constant))


STEPS: Mapping[str, SmallStep] = {
    step.name: step
    for step in (
        _step(plan_type, "PLAN_TYPE_SYSTEM_PROMPT"),
        _step(identify_purpose, "IDENTIFY_PURPOSE_SYSTEM_PROMPT"),
        _step(redline_gate, "REDLINE_GATE_SYSTEM_PROMPT"),
        _step(currency_strategy, "CURRENCY_STRATEGY_SYSTEM_PROMPT"),
    )
}


def _cut(step: SmallStep) -> str:
    return step.prompt[: len(step.prompt) // 4]


def _figures(step: SmallStep) -> str:
    demand = (
        f"State in {_TEXTS_OF_REPLY[step.name]} by how many percent the costs rise, for example "
        "15%, 40% or 250,000 dollars. Write [the party] and [the figure] where you know none.\n"
    )
    return f"{step.prompt}\n{demand * 3}"


def _one_word(step: SmallStep) -> str:
    return f"{step.prompt}\nAnswer with one word in each field. Write everything in English.\n"


def _short(step: SmallStep) -> str:
    return f"{_CORES[step.name]}\n{_LANGUAGE}\n"


def _short_twice(step: SmallStep) -> str:
    last = f"Use words of the plan. Write no number that is not in it. Stop early. {_LANGUAGE}"
    return f"{_CORES[step.name]}\n{last}\n"


def _reminder(step: SmallStep) -> str:
    last = f"Be brief: whole sentences about this plan, with its own words. {_LANGUAGE}"
    return f"{step.prompt}\n{last}\n"


DAMAGED: Mapping[str, Callable[[SmallStep], str]] = {
    "cut off after a quarter": _cut,
    "demands figures": _figures,
    "demands one word, in English": _one_word,
}
IMPROVED: Mapping[str, Callable[[SmallStep], str]] = {
    "short, for a small model": _short,
    "short, with a last reminder": _short_twice,
    "as it is, with a last reminder": _reminder,
}
