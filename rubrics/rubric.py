"""A rubric: what is measured on a step's outputs, what weighs how much, what may never happen.

The contract between writing rubrics, measuring and deciding. Fields are added with a default, never
renamed or removed; `rubrics/schema.json` is the same contract as a JSON schema.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

SCHEMA_VERSION = 1
CALL_FACTS = frozenset(
    {"metadata", "system_prompt", "system_prompt_list", "user_prompt", "user_prompt_list", "query"}
)
"""The keys of an artifact that stores a reply which hold the facts of the call."""

Path = Annotated[str, Field(pattern=r"^$|^[^\s.\[\]]+(\[\])?(\.[^\s.\[\]]+(\[\])?)*$")]
"""A path in JSON: keys with dots between them, `[]` after one whose items are all meant.

A list at the end of a path means all its items, with or without `[]`; `[]` after an object
means all its values.
"""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Part):
    """Where the measured items are: an artifact, and the path of the list of items in it.

    For replies `artifact` is the raw artifact of older records, in which they are at `replies`
    (empty: it is itself the one reply); records that hold attempts are read from those. `items` is
    the path of the items inside one reply, or inside the cleaned artifact, or several such paths;
    empty when that is itself the list, or the one item. `<n>` in an artifact's name means every
    number, in order. With `lines` the items of an artifact that is text are its lines, without
    blank ones; otherwise it is one item.
    """

    artifact: str
    replies: Path = ""
    items: Path | tuple[Path, ...] = ""
    lines: bool = False

    @property
    def json_paths(self) -> tuple[str, ...]:
        """The paths of the items."""
        return (self.items,) if isinstance(self.items, str) else self.items


class Quantity(_Part):
    """How many items are expected of a cell, and the fields that an item needs."""

    expected: int | None = Field(default=None, ge=1)
    counts: dict[Path, int] = Field(
        default_factory=dict, description="Exact list lengths, by field."
    )
    required: tuple[Path, ...] = ()


class MetricUse(_Part):
    """One metric on some fields, and what its values mean for this step.

    `of` says what is measured: the cleaned form, the replies, or the cell itself (its costs).
    `fields` are paths inside an item; none means every text of it. `scale` is the smallest change
    in the metric's own unit that is worth having: effects are divided by it before they are weighed
    into the composite. A metric of weight 0 is reported only.
    """

    metric: str
    of: Literal["clean", "replies", "cell"] = "clean"
    fields: tuple[Path, ...] = ()
    direction: Literal["lower", "higher"] = "lower"
    weight: float = Field(default=0.0, ge=0)
    scale: float = Field(gt=0)
    parameters: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """The name of the measure: metric, fields and source, the same in every table."""
        fields = f":{'+'.join(self.fields)}" if self.fields else ""
        return f"{self.metric}{fields}{'' if self.of != 'replies' else '@replies'}"


class Gates(_Part):
    """What rejects a candidate, whatever else is better.

    `collapse` is the share of items, after to before, under which a cell has collapsed;
    `model_drop` and `plan_drop` are the drops of the composite, in its unit, beyond which a model
    or a plan counts as lost (None: no such gate; 0: no regression anywhere).
    """

    success: bool = True
    collapse: float = Field(default=0.40, gt=0, lt=1)
    model_drop: float | None = Field(default=3.0, ge=0)
    plan_drop: float | None = Field(default=3.0, ge=0)


class Constraint(_Part):
    """A requirement of the owner in plain words; with `metric` it is checked as a gate.

    `low` and `high` bound the mean of the measure `metric` over the candidate's cells.
    """

    text: str
    metric: str | None = None
    low: float | None = None
    high: float | None = None


class Question(_Part):
    """One question of the judge, answered on a scale from 1 to 5."""

    id: str
    text: str


class Fitness(_Part):
    """What loops maximise: shares of quality, latency and preference.

    Latency is penalised beyond `seconds_a_call`.
    """

    quality: float = Field(default=0.7, ge=0)
    latency: float = Field(default=0.2, ge=0)
    preference: float = Field(default=0.1, ge=0)
    seconds_a_call: float = Field(default=10.0, gt=0)


class Rubric(_Part):
    """What is measured for one step. `version` grows with every change that changes numbers."""

    schema_version: Literal[1] = 1
    step: str
    version: int = Field(ge=1)
    why: str
    clean: Source | None = None
    replies: Source | None = None
    inputs: tuple[str, ...] = Field(
        default=(),
        description="Artifacts of the plan that the step reads: they stand for an input that a "
        "record does not hold, and for the list that references name.",
    )
    name_field: Path = ""
    quantity: Quantity = Quantity()
    metrics: tuple[MetricUse, ...] = Field(json_schema_extra={"minItems": 1})
    gates: Gates = Gates()
    minimal_effect: float = Field(
        default=1.0, gt=0, description="Smallest change of the composite worth a merge."
    )
    constraints: tuple[Constraint, ...] = ()
    questions: tuple[Question, ...] = ()
    fitness: Fitness = Fitness()

    @field_validator("metrics")
    @classmethod
    def _not_empty(cls, metrics: tuple[MetricUse, ...]) -> tuple[MetricUse, ...]:
        # As a length of the field it would hide what is wrong with each.
        if not metrics:
            raise ValueError("there must be at least one")
        return metrics
