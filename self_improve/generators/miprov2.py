"""MIPROv2: instructions and demonstrations, searched together by a surrogate model.

Source: Opsahl-Ong et al. 2024, Optimizing Instructions and Demonstrations for Multi-Stage Language
Model Programs (arXiv 2406.11695), and DSPy's MIPROv2.

Defaults: miprov2 (light), miprov2-medium and miprov2-heavy make 6, 12 and 18 instructions a text
and as many demonstration sets (one of them empty); a multivariate tree-structured Parzen estimator
(optuna) proposes combinations, tried on minibatches, with a full scoring of the best mean every 5
trials; trials = max(2 V log2 N, 1.5 N) for V searched variables and N candidates of each. Adapted:
a minibatch is a third of the cases instead of 35; the surrogate takes over after a third of the
trials, because optuna's own 10 random ones would be all that a light search has; demonstrations are
texts that this step wrote in the better half of its cells, quoted behind the longest text, and
declared. --small changes nothing.

Needs: a proposer for one round of calls, and optuna.

Costs: 5, 11 or 17 calls a text; 9 or 10, 18 or 27 trials on a third of the cases (with one searched
text), and all cases after every fifth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import optuna

from model_gateway.material import json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import has_room
from self_improve.search.trial import Proposal, Scored, Trial

AUTO = {"light": 6, "medium": 12, "heavy": 18}
FULL_EVERY = 5
DEMONSTRATIONS = 3
_STARTUP = 10
_LONGEST = 900
_SUMMARY = 5
_DEMONSTRATIONS = "demonstrations"
TIPS = (
    "Be simple and clear.",
    "Describe the result rather than the way to it.",
    "Say what matters most first.",
    "Think of a reader with high stakes.",
    "Give the model a role that fits.",
    "Leave out everything that can be left out.",
)

Choice = tuple[int, ...]
"""The number of the text of each searched surface, and of the demonstration set."""


@dataclass(kw_only=True)
class _Space:
    """What can be combined, the proposals so far, and their scores on minibatches."""

    texts: Mapping[str, Sequence[str]]
    demonstrations: Sequence[tuple[str, ...]]
    proposals: dict[Choice, Proposal | None]
    """None stands for a refused one."""
    values: dict[Choice, list[float]] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of candidates by variable."""
        return {s: len(texts) for s, texts in self.texts.items()} | {
            _DEMONSTRATIONS: len(self.demonstrations)
        }


class MiproV2:
    """Bootstrapped demonstrations, grounded proposals and a Parzen surrogate."""

    name = "miprov2"
    setting = "light"

    async def search(self, trial: Trial) -> None:
        """Make the parts, then search their combinations."""
        [base] = await trial.score([trial.baseline], trial.cases)
        count = AUTO[self.setting]
        single = await self._instructions(trial, base, count)
        first: Choice = (0,) * (len(single) + 1)
        space = _Space(
            texts={s: [one.texts[s] for one in proposals] for s, proposals in single.items()},
            demonstrations=demonstration_sets(trial, base, count),
            proposals={
                (*first[:index], n, *first[index + 1 :]): one
                for index, proposals in enumerate(single.values())
                for n, one in enumerate(proposals)
            },
        )
        variables = sum(size > 1 for size in space.sizes.values())
        if not variables:
            trial.note("there is nothing to combine: no new text and no demonstration")
            return
        trials = int(max(2 * variables * math.log2(count), 1.5 * count))
        study = _study(trial, trials)
        _add(study, space, first, base.on(trial.cases) or 0.0)
        size = max(2, math.ceil(len(trial.cases) / 3))
        for number in range(1, trials + 1):
            if not has_room(trial, size, 1):
                break
            suggestion = study.ask(_distributions(space))
            choice = tuple(suggestion.params[name] for name in space.sizes)
            proposal = _combination(trial, space, choice)
            cases = trial.random.sample(list(trial.cases), min(size, len(trial.cases)))
            value = 0.0
            if proposal is not None:
                [scored] = await trial.score([proposal], cases)
                value = scored.on(cases) or 0.0
                space.values.setdefault(choice, []).append(value)
            study.tell(suggestion, value)
            if number % FULL_EVERY == 0:
                await _full(trial, study, space)
        await _full(trial, study, space)

    async def _instructions(
        self, trial: Trial, base: Scored, count: int
    ) -> dict[str, list[Proposal]]:
        """Return the baseline and proposals that change one surface, by that surface."""
        plans = [outcome.plan[:_LONGEST] for outcome in base.outcomes.values()]
        good = proposer_calls.demonstrations(base.outcomes.values())[:_SUMMARY]
        numbered = [(surface, n) for surface in trial.searched for n in range(1, count)]
        calls = [
            proposer_calls.question(
                f"instruction_{n}/{surface}",
                "mipro",
                proposer_calls.aims(trial),
                proposer_calls.prompt_block(surface, trial.baseline.texts[surface]),
                json_block("plans", trial.random.sample(plans, min(2, len(plans)))),
                json_block("outputs", good),
                proposer_calls.feedback(base.worst(_SUMMARY)),
                f"Hint: {TIPS[n % len(TIPS)]}",
                schema=Variant,
            )
            for surface, n in numbered
        ]
        replies = await trial.ask_all("miprov2", calls)
        proposals = {surface: [trial.baseline] for surface in trial.searched}
        for (surface, _), reply in zip(numbered, replies, strict=True):
            if reply.value is None:
                continue
            proposal = trial.admit(
                {surface: reply.value.text}, operator="instruction",
                parents=[trial.baseline], change=reply.value.change[:300],
            )  # fmt: skip
            if proposal is not None:
                proposals[surface].append(proposal)
        return proposals


class MiproV2Medium(MiproV2):
    """12 candidates of each variable."""

    name = "miprov2-medium"
    setting = "medium"


class MiproV2Heavy(MiproV2):
    """18 candidates of each variable."""

    name = "miprov2-heavy"
    setting = "heavy"


def demonstration_sets(trial: Trial, base: Scored, count: int) -> list[tuple[str, ...]]:
    """Return sets of texts that the step wrote where it did well; the first set is empty."""
    good = proposer_calls.demonstrations(base.outcomes.values())
    sets: list[tuple[str, ...]] = [()]
    for _ in range(count - 1):
        drawn = tuple(trial.random.sample(good, min(DEMONSTRATIONS, len(good))))
        if drawn not in sets:
            sets.append(drawn)
    return sets


def _study(trial: Trial, trials: int) -> optuna.Study:
    # Each study would announce itself on the terminal.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(
        seed=trial.random.randrange(2**31), multivariate=True,
        n_startup_trials=min(_STARTUP, trials // 3),
    )  # fmt: skip
    return optuna.create_study(direction="maximize", sampler=sampler)


def _distributions(space: _Space) -> dict[str, optuna.distributions.BaseDistribution]:
    return {
        name: optuna.distributions.CategoricalDistribution(tuple(range(size)))
        for name, size in space.sizes.items()
    }


def _add(study: optuna.Study, space: _Space, choice: Choice, value: float) -> None:
    """Add a score on all cases to the surrogate's data."""
    study.add_trial(
        optuna.trial.create_trial(
            params=dict(zip(space.sizes, choice, strict=True)),
            distributions=_distributions(space),
            value=value,
        )
    )


def _combination(trial: Trial, space: _Space, choice: Choice) -> Proposal | None:
    """Return the proposal of a combination, or None if it was refused."""
    if choice not in space.proposals:
        demos = space.demonstrations[choice[-1]]
        texts = {s: texts[n] for (s, texts), n in zip(space.texts.items(), choice, strict=False)}
        main = proposer_calls.main_surface(trial)
        texts[main] = proposer_calls.with_quotes(texts[main], demos)
        space.proposals[choice] = trial.admit(
            texts, operator="instruction and demonstrations", parents=[trial.baseline],
            change=f"a combination, with {len(demos)} demonstrations", demonstrations=demos,
        )  # fmt: skip
    return space.proposals[choice]


async def _full(trial: Trial, study: optuna.Study, space: _Space) -> None:
    """Score the best mean not yet scored on all cases, and add it to the surrogate's data."""
    for choice in sorted(space.values, key=lambda c: -sum(space.values[c]) / len(space.values[c])):
        proposal = space.proposals[choice]
        if proposal is None:
            continue
        [scored] = await trial.score([proposal], [])
        missing = sum(case.id not in scored.outcomes for case in trial.cases)
        if missing:
            if trial.left >= missing:
                [whole] = await trial.score([proposal], trial.cases)
                _add(study, space, choice, whole.on(trial.cases) or 0.0)
            return
