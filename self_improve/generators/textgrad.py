"""TextGrad: outputs are criticized, critiques become gradients in words, gradients an update.

Source: Yuksekgonul et al. 2024, TextGrad: Automatic Differentiation via Text (arXiv 2406.07496),
its prompt optimization, and its code.

Defaults: batches of 3, 3 epochs of 4 steps. A step runs the texts on a batch (forward); one call an
output criticizes it (the loss); one call an output and text says how that text should change (the
gradient); the gradients of the batch are collected; and one call a text applies them (the update).
All texts are updated together. An update that is worse on the validation cases is reverted, except
with `TextGrad(revert=False)`. Adapted: the validation cases are a fixed 6 of the train cases, the
best 3 are confirmed on all, and critique and gradient come from the same proposer, where the source
uses a stronger model for them. --small changes nothing.

Needs: a proposer, 7 calls a step with one searched text (3 criticize, 3 trace back, 1 updates).

Costs: 12 steps of 9 cells at most, 84 calls, then 3 proposals on all cases.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, Field

from model_gateway.material import block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import LONGEST_NOTE, Variant
from self_improve.search.racing import confirm, has_room, sample
from self_improve.search.trial import Case, CellOutcome, Proposal, Trial

BATCH, EPOCHS, STEPS, VALIDATION, CONFIRMED = 3, 3, 4, 6, 3
_FRUITLESS = 4
_LONGEST = 3000


class Critique(BaseModel):
    """The loss: what is wrong with one output."""

    critique: str = Field(description="1 to 5 sentences.")


class Gradient(BaseModel):
    """How one text should change so that one output would be better."""

    gradient: str = Field(description="1 to 5 sentences.")


class TextGrad:
    """Gradient descent in words."""

    name = "textgrad"

    def __init__(self, *, revert: bool = True) -> None:
        self._revert = revert

    async def search(self, trial: Trial) -> None:
        """Go through the epochs, step by step."""
        validation = sample(trial, VALIDATION)
        [current] = await trial.score([trial.baseline], validation)
        seen = [current]
        fruitless = 0
        for epoch in range(1, EPOCHS + 1):
            order = trial.random.sample(list(trial.cases), len(trial.cases))
            for step in range(1, STEPS + 1):
                indices = range((step - 1) * BATCH, step * BATCH)
                batch = list(dict.fromkeys(order[index % len(order)] for index in indices))
                room = has_room(trial, len(batch) + len(validation), CONFIRMED)
                if not room or fruitless == _FRUITLESS:
                    await confirm(trial, seen, validation, CONFIRMED)
                    return
                updated = await self._step(trial, current.proposal, batch, f"{epoch}.{step}")
                fruitless = 0 if updated is not None else fruitless + 1
                if updated is None:
                    continue
                [new] = await trial.score([updated], validation)
                seen.append(new)
                if self._revert and (new.on(validation) or 0.0) < (current.on(validation) or 0.0):
                    trial.note(f"{updated.id} does worse on the validation cases and is reverted")
                else:
                    current = new
        await confirm(trial, seen, validation, CONFIRMED)

    async def _step(
        self, trial: Trial, current: Proposal, batch: Sequence[Case], key: str
    ) -> Proposal | None:
        """Return the current texts, updated by one step."""
        [forward] = await trial.score([current], batch)
        outcomes = [forward.outcomes[case.id] for case in batch]
        losses = await self._losses(trial, outcomes, key)
        gradients = await self._gradients(trial, current, losses, key)
        updates = await self._updates(trial, current, gradients, outcomes, key)
        if not updates:
            return None
        return trial.admit(
            {surface: update.text for surface, update in updates.items()},
            operator=self.name,
            parents=[current],
            change="; ".join(update.change for update in updates.values())[:300],
        )

    async def _losses(
        self, trial: Trial, outcomes: Sequence[CellOutcome], key: str
    ) -> list[tuple[CellOutcome, str]]:
        """Return each output with its critique."""
        calls = [
            proposer_calls.question(
                f"{key}/loss_{n}",
                "textgrad_loss",
                proposer_calls.aims(trial),
                *_case(outcome),
                proposer_calls.feedback([outcome]),
                schema=Critique,
            )
            for n, outcome in enumerate(outcomes, start=1)
        ]
        replies = await trial.ask_all("textgrad_loss", calls)
        return [
            (outcome, reply.value.critique[:LONGEST_NOTE])
            for outcome, reply in zip(outcomes, replies, strict=True)
            if reply.value is not None
        ]

    async def _gradients(
        self, trial: Trial, current: Proposal, losses: Sequence[tuple[CellOutcome, str]], key: str
    ) -> dict[str, list[str]]:
        """Return the gradients of each text over the batch."""
        numbered = [(surface, n) for surface in trial.searched for n in range(len(losses))]
        calls = [
            proposer_calls.question(
                f"{key}/gradient_{n + 1}/{surface}",
                "textgrad_gradient",
                proposer_calls.prompt_block(surface, current.texts[surface]),
                *_case(losses[n][0]),
                block("critique", losses[n][1]),
                schema=Gradient,
            )
            for surface, n in numbered
        ]
        replies = await trial.ask_all("textgrad_gradient", calls)
        gradients: dict[str, list[str]] = {}
        for (surface, _), reply in zip(numbered, replies, strict=True):
            if reply.value is not None:
                gradients.setdefault(surface, []).append(reply.value.gradient)
        return gradients

    async def _updates(
        self,
        trial: Trial,
        current: Proposal,
        gradients: dict[str, list[str]],
        outcomes: Sequence[CellOutcome],
        key: str,
    ) -> dict[str, Variant]:
        """Return the updated texts of the surfaces that have gradients."""
        calls = [
            proposer_calls.question(
                f"{key}/update/{surface}",
                "textgrad",
                proposer_calls.aims(trial),
                proposer_calls.prompt_block(surface, current.texts[surface]),
                proposer_calls.feedback(outcomes, notes),
                schema=Variant,
            )
            for surface, notes in gradients.items()
        ]
        replies = await trial.ask_all(self.name, calls)
        return {
            surface: reply.value
            for surface, reply in zip(gradients, replies, strict=True)
            if reply.value is not None
        }


def _case(outcome: CellOutcome) -> tuple[str, str]:
    written = proposer_calls.as_text(outcome.output)[:_LONGEST]
    return block("plan", outcome.plan[:_LONGEST]), block("output", outcome.failure or written)
