"""The settings of rollouts, which the log fixes when a rollout begins, before anybody votes."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model_gateway.foreign_files import read_toml
from model_gateway.invocation import typed
from prompt_lab.layout import Layout
from self_improve.errors import UsageError

FILE = "settings.toml"

Percent = Annotated[float, Field(gt=0, le=100)]
Share = Annotated[float, Field(gt=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class Settings(BaseModel):
    """The keys of `rollouts/settings.toml` and their defaults.

    `stages` are the weights of the new version in percent, one after the other; a stage ends after
    votes or scores on `marks` plans with the new version, or after `days`; `shown` is the share of
    plans whose readers are asked to vote. `gain` is the smallest gain, as a share of the old
    version's mean, for which a version is promoted. Below the share `rollback_below` of the best
    mean a version is rolled back, below `search_below` a new search is due: checked every
    `check_hours`, searched at most once in `search_days`. Nothing is concluded from fewer than
    `least_marks` plans a side.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stages: tuple[Percent, ...] = (5.0, 10.0, 20.0, 100.0)
    marks: int = Field(default=30, ge=1)
    shown: Share = 0.5
    days: Positive = 7.0
    gain: float = Field(default=0.05, ge=0)
    rollback_below: Share = 0.70
    search_below: Share = 0.80
    check_hours: float = Field(default=24.0, ge=0)
    search_days: float = Field(default=7.0, ge=0)
    least_marks: int = Field(default=10, ge=2)

    @model_validator(mode="after")
    def _stages_grow(self) -> Self:
        grows = all(one < other for one, other in zip(self.stages, self.stages[1:], strict=False))
        if len(self.stages) < 2 or not grows or self.stages[-1] != 100:
            raise ValueError("stages must grow from below 100 to 100, such as [5, 10, 20, 100]")
        return self

    @property
    def enough(self) -> int:
        """The least number of plans a side from which a stage can be decided."""
        return min(self.marks, self.least_marks)

    def text(self) -> str:
        """Return the settings as the text of the file."""
        values = self.model_dump(mode="json")
        return "".join(f"{name} = {value}\n" for name, value in values.items())


def load(layout: Layout) -> Settings:
    """Return the data repo's settings, or the defaults if it has none.

    Raises:
        UsageError: the file is invalid.
    """
    path = layout.rollouts / FILE
    if not path.is_file():
        return Settings()
    try:
        return Settings.model_validate(read_toml(path))
    except (ValidationError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be used: {error}\n"
            f"`{typed('rollout settings --defaults')}` prints a valid file."
        ) from error
