"""The pipeline as the process that imported it describes it: its steps and prompt surfaces."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from self_improve.host.surfaces import Surface, from_row


@dataclass(frozen=True, kw_only=True)
class StepFacts:
    """A step as its code declares it; names of artifacts are relative to the plan.

    `route` leads to its task (see `task_graph.follow`). An `external` step computes nothing: its
    output comes from outside.
    """

    name: str
    task: str
    route: tuple[int, ...]
    upstream: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    external: bool
    calls_model: bool
    surfaces: tuple[str, ...]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> StepFacts:
        """Read a step from plain JSON values."""
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        return cls(**values)


_STEPS = TypeAdapter(list[StepFacts])
_SURFACE_ID = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """The steps of a host, upstream ones first, and all its prompt surfaces by id."""

    steps: Mapping[str, StepFacts]
    surfaces: Mapping[str, Surface]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Pipeline:
        """Read a zygote's description of its code, which is the word of a stranger.

        Raises:
            ValueError, TypeError, LookupError: it is something else.
        """
        steps = [StepFacts.from_row(step) for step in row["steps"]]
        surfaces = [from_row(surface) for surface in row["surfaces"]]
        # As JSON, in which a list may be a tuple, and nothing else is taken for something else.
        _STEPS.validate_json(json.dumps([vars(step) for step in steps]), strict=True)
        for step in steps:
            names = (*step.inputs, *step.outputs)
            if not step.name.isidentifier() or any("\0" in name for name in names):
                raise ValueError(f"{step.name!r} is not a step")
        for surface in surfaces:
            # Not by pydantic: a text of a host may hold what no JSON may, such as a lone surrogate.
            texts = (surface.kind, surface.text, *surface.assembled_into, *surface.heirs)
            if not _SURFACE_ID.fullmatch(surface.id) or not all(isinstance(t, str) for t in texts):
                raise ValueError(f"{surface.id!r} is not a surface")
        return cls(steps={s.name: s for s in steps}, surfaces={s.id: s for s in surfaces})
