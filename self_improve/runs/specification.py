"""The identity of a run: runs with the same specification are the same run, which is resumed."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.config import Model
from model_gateway.invocation import typed
from model_gateway.suggestions import did_you_mean
from self_improve.code.code_tree import CodeTree
from self_improve.errors import UsageError
from self_improve.host.candidate import Candidate
from self_improve.host.pipeline import Pipeline, StepFacts
from self_improve.host.plans import PlanInputs
from self_improve.host.surfaces import Surface

PACKAGES = ("luigi", "pydantic", "llama-index-core", "openai", "anthropic", "ollama", "plumbline")


@dataclass(frozen=True, kw_only=True)
class RunSpecification:
    """All that determines a run of one candidate on one model, except the model's own chance."""

    step: StepFacts
    pipeline: Pipeline
    host_digest: str
    code: CodeTree
    candidate: Candidate
    models: tuple[Model, ...]
    speed: str
    seed: int
    repeats: int
    inputs: Mapping[str, PlanInputs]

    @property
    def model(self) -> Model:
        """The model that is measured; the others of `models` are fallbacks."""
        return self.models[0]

    @property
    def identity(self) -> dict[str, Any]:
        """The parts that make up the digest."""
        return {
            "step": self.step.name,
            "host": self.host_digest,
            "code": self.code.digest,
            "candidate": self.candidate.digest,
            "models": [_model_identity(model) for model in self.models],
            "speed": self.speed,
            "seed": self.seed,
            "repeats": self.repeats,
            "inputs": {plan: dict(inputs.digests) for plan, inputs in self.inputs.items()},
        }

    def surfaces(self) -> list[Surface]:
        """Return the surfaces that the step reaches in its code, with the candidate's texts."""
        reached = [self.pipeline.surfaces[surface_id] for surface_id in self.step.surfaces]
        return [surface.with_text(self.candidate.texts) for surface in reached]

    @property
    def digest(self) -> str:
        """The SHA-256 of the identity."""
        return digest_of(self.identity)

    def cell_seed(self, plan: str, repeat: int) -> int:
        """Return a cell's seed: the same for baseline and candidate, so that they are paired."""
        text = f"{self.seed}/{plan}/{self.model.name}/{repeat}"
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")

    def meta(self, *, optimizer: CodeTree, workers: int) -> dict[str, Any]:
        """Return the content of `meta.json`: the keys of older records first."""
        return {
            "step": self.step.name,
            "system_prompt_sha256": self._system_prompt_digest(),
            "model": {
                "primary": self.model.name,
                "fallbacks": [model.name for model in self.models[1:]],
                **_model_identity(self.model),
            },
            "workers": workers,
            "system": system_facts(),
            **self.identity,
            "code": self.code.to_row(),
            "optimizer": optimizer.to_row(),
            "candidate": {
                "digest": self.candidate.digest,
                "surfaces": sorted(self.candidate.texts),
            },
            "surfaces": {s.id: s.digest for s in self.surfaces()},
            "packages": packages(),
        }

    def _system_prompt_digest(self) -> str | None:
        """Return the digest of the step's first system prompt, which identified older records."""
        return next((s.digest for s in self.surfaces() if s.id.endswith("SYSTEM_PROMPT")), None)


def _model_identity(model: Model) -> dict[str, Any]:
    """Return what determines a model's answers; addresses and keys are not part of it."""
    redact = model.redactor()
    return {
        "name": model.name,
        "provider": model.provider,
        "id": model.model_id,
        "class_path": model.class_path,
        "arguments": redact.value(model.arguments),
        "options": redact.value(model.reply_options),
        # Two servers may give different models one id; their addresses are private.
        "server": digest_of(*model.server_parts) if model.server else None,
        "structured": model.structured,
        "max_output_tokens": model.max_output_tokens,
        "max_attempts": model.max_attempts,
    }


def packages() -> dict[str, str]:
    """Return the versions of the packages that a result may depend on."""
    return {name: metadata.version(name) for name in PACKAGES}


def system_facts() -> dict[str, Any]:
    """Return the facts on the machine that older records have; none of them identifies it."""
    return {
        "os": platform.system(),
        "arch": platform.machine(),
        "cpu_count": os.cpu_count(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def choose_step(name: str, steps: Sequence[str]) -> str:
    """Return `name` if it is a step.

    Raises:
        UsageError: it is not; the message names the nearest.
    """
    if name in steps:
        return name
    hint = did_you_mean(name, steps)
    raise UsageError(f"There is no step {name!r}.{hint} `{typed('steps')}` lists them all.")
