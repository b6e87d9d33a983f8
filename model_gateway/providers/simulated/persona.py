"""The small models that the simulation plays: the same rules with other parameters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, kw_only=True)
class Persona:
    """The parameters of one step model; each is a chance unless its line says otherwise.

    R1 `copy`: an item copies the pattern of a lone example. `habit`: a text without an example
    begins with the model's favourite opener of this plan.
    R2 `leak`, R3 `placeholder`: per occurrence and item.
    R4 `invent_base`, `invent`: per sentence, and the addition for each percentage in the prompt.
    R5 `verbosity`: factor on the examples' length. `length`, `item_length`: words of a field and
    of a string in a list by default. `spread`: half-width of the length, as a part.
    R6 `items`, `nested`: usual counts of an outer and an inner list. `lean`: where in a requested
    range it aims, 0 to 1. `noise`: standard deviation. `overshoot`, `undershoot`: chances of more
    or less.
    R7 `output_limit`: tokens. `strain`: how much a schema's size lowers it.
    R8 `missing` (an inner list one short), `empty`, `short`, `duplicate` (a name of this reply),
    `near_duplicate` (a text of this reply), `repeat` (a name that other calls also give).
    `heed`: the part of a slip that full emphasis prevents.
    R9 `attention`: clauses at which focus has halved. `guidance`: clauses that give enough
    guidance.
    R10 `fence`, `prose`, `broken`, `echo`.
    `name_words` is the mean length of a name in words.
    """

    copy: float
    habit: float = 0.10
    leak: float
    placeholder: float
    invent_base: float
    invent: float
    verbosity: float = 1.0
    length: float = 34.0
    item_length: float = 14.0
    spread: float = 0.3
    items: float = 5.0
    nested: float = 3.0
    lean: float = 0.5
    noise: float = 0.4
    overshoot: float = 0.0
    undershoot: float = 0.0
    output_limit: int = 16_000
    strain: float = 0.0
    missing: float
    empty: float = 0.0
    short: float
    duplicate: float
    near_duplicate: float
    repeat: float
    heed: float
    attention: float
    guidance: float
    fence: float = 0.0
    prose: float = 0.0
    broken: float = 0.0
    echo: float = 0.0
    name_words: float = 3.0


PERSONAS: Mapping[str, Persona] = MappingProxyType(
    {
        # Keeps counts and forms, makes few slips: like a larger hosted model.
        "strong": Persona(
            copy=0.32, leak=0.008, placeholder=0.0005, invent_base=0.001, invent=0.13,
            length=38, item_length=16, lean=0.5, noise=0.35,
            missing=0.01, short=0.004, duplicate=0.004, near_duplicate=0.004, repeat=0.05,
            heed=0.95, attention=95, guidance=7, name_words=3.0,
        ),
        # Writes at twice the length of what it is shown, and runs into limits.
        "verbose": Persona(
            copy=0.22, leak=0.006, placeholder=0.001, invent_base=0.012, invent=0.22,
            verbosity=2.1, length=85, item_length=36, spread=0.35, lean=1.0, noise=0.35,
            overshoot=0.2, output_limit=6500, missing=0.01, short=0.002, duplicate=0.006,
            near_duplicate=0.006, repeat=0.05, heed=0.9, attention=130, guidance=10,
            name_words=4.0,
        ),
        # A small local model: copies, repeats itself, leaves things out, loses long prompts.
        "weak": Persona(
            copy=0.88, habit=0.35, leak=0.040, placeholder=0.004, invent_base=0.001, invent=0.05,
            verbosity=0.85, length=26, item_length=12, spread=0.5, lean=0.85, noise=0.8,
            overshoot=0.2, undershoot=0.01, output_limit=3000, strain=0.25, missing=0.07,
            empty=0.012, short=0.055, duplicate=0.12, near_duplicate=0.07, repeat=0.30,
            heed=0.75, attention=42, guidance=6, fence=0.03, prose=0.03, broken=0.02,
            name_words=2.6,
        ),
        # Always gives more than it was asked for.
        "eager": Persona(
            copy=0.36, leak=0.012, placeholder=0.002, invent_base=0.004, invent=0.16,
            verbosity=1.25, length=46, item_length=20, items=7, nested=4, lean=1.0, noise=0.8,
            overshoot=0.45, output_limit=5000, strain=0.05, missing=0.004, short=0.004,
            duplicate=0.05, near_duplicate=0.03, repeat=0.12, heed=0.7, attention=70, guidance=8,
            name_words=3.4,
        ),
        # Keeps to the lower end of everything.
        "terse": Persona(
            copy=0.32, leak=0.015, placeholder=0.001, invent_base=0.003, invent=0.20,
            verbosity=0.75, length=26, item_length=9, spread=0.2, items=4, lean=0.1, noise=0.3,
            undershoot=0.01, missing=0.02, short=0.05, duplicate=0.02, near_duplicate=0.01,
            repeat=0.10, heed=0.85, attention=60, guidance=6, name_words=2.8,
        ),
        # Locks on to any pattern that it is shown.
        "parrot": Persona(
            copy=0.96, habit=0.40, leak=0.080, placeholder=0.012, invent_base=0.001, invent=0.26,
            length=34, item_length=15, lean=0.5, noise=0.3, output_limit=8000, strain=0.05,
            missing=0.01, short=0.002, duplicate=0.03, near_duplicate=0.08, repeat=0.20,
            heed=0.8, attention=55, guidance=9, name_words=4.0,
        ),
        # Makes figures up.
        "inventive": Persona(
            copy=0.33, leak=0.012, placeholder=0.002, invent_base=0.03, invent=0.36,
            verbosity=1.1, length=40, item_length=15, lean=0.5, noise=0.3, undershoot=0.02,
            missing=0.01, short=0.012, duplicate=0.02, near_duplicate=0.01, repeat=0.08,
            heed=0.8, attention=75, guidance=12, prose=0.02, broken=0.01, name_words=3.2,
        ),
        # Often fails at JSON, most of all when the schema is in the prompt.
        "flaky": Persona(
            copy=0.40, habit=0.20, leak=0.020, placeholder=0.003, invent_base=0.004, invent=0.22,
            length=30, item_length=13, spread=0.4, lean=0.4, noise=0.6, undershoot=0.05,
            output_limit=4000, strain=0.12, missing=0.04, empty=0.006, short=0.04,
            duplicate=0.05, near_duplicate=0.03, repeat=0.15, heed=0.7, attention=48, guidance=7,
            fence=0.30, prose=0.18, broken=0.09, echo=0.10, name_words=3.1,
        ),
    }
)  # fmt: skip
