"""MIPROv2: instructions and demonstrations, searched together by a surrogate model.

Source: Opsahl-Ong et al. 2024, Optimizing Instructions and Demonstrations for Multi-Stage Language
Model Programs (arXiv 2406.11695), and DSPy's MIPROv2.

Defaults: light, medium and heavy make 6, 12 and 18 instructions and as many demonstration sets (one
of them empty); a multivariate tree-structured Parzen estimator (optuna) proposes combinations,
tried on minibatches, with a full scoring of the best mean every 5 trials; trials = max(2 V log2 N,
1.5 N) for V searched variables and N candidates of each. Adapted: minibatches of 35 are a third of
the cases here; demonstrations are texts that this step wrote in cells that scored at least .9, set
behind the instruction as quotes, and declared. This class is the light setting; --small is the
same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import optuna

from model_gateway.call import Call
from model_gateway.material import json_block
from self_improve import instructions
from self_improve.generators import proposing
from self_improve.generators.proposing import REPLY_TOKENS, Variant
from self_improve.generators.racing import has_room
from self_improve.generators.trial import Proposal, Scored, Trial

AUTO = {"light": 6, "medium": 12, "heavy": 18}
FULL_EVERY = 5
GOOD = 0.9
DEMONSTRATIONS = 3
_LONGEST = 300
_SHORTEST = 30
_SUMMARY = 5
TIPS = (
    "Be simple and clear.",
    "Describe the result rather than the way to it.",
    "Say what matters most first.",
    "Think of a reader with high stakes.",
    "Give the model a role that fits.",
    "Leave out everything that can be left out.",
)


class MiproV2:
    """Bootstrapped demonstrations, grounded proposals and a Parzen surrogate."""

    name = "miprov2"
    setting = "light"

    async def search(self, trial: Trial) -> None:
        """Make the parts, then search their combinations."""
        [base] = await trial.score([trial.baseline], trial.cases)
        count = AUTO[self.setting]
        demos = demonstration_sets(trial, base, count)
        surface = trial.searched[0]
        texts = await self._instructions(trial, base, surface, count)
        variables = 1 + (len(demos) > 1)
        trials = int(max(2 * variables * math.log2(max(count, 2)), 1.5 * count))
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(
                seed=trial.random.randrange(2**31), multivariate=variables > 1
            ),
        )
        study.enqueue_trial({"instruction": 0, "demonstrations": 0})
        size = max(2, math.ceil(len(trial.cases) / 3))
        tried: dict[tuple[int, int], list[float]] = {}
        made: dict[tuple[int, int], Proposal] = {(0, 0): trial.baseline}
        for number in range(1, trials + 1):
            if not has_room(trial, size, 1):
                break
            asked = study.ask()
            place = (
                asked.suggest_categorical("instruction", range(len(texts))),
                asked.suggest_categorical("demonstrations", range(len(demos))),
            )
            if place not in made:
                proposal = _joined(trial, surface, texts[place[0]], demos[place[1]])
                if proposal is None:
                    study.tell(asked, 0.0)
                    continue
                made[place] = proposal
            cases = trial.random.sample(list(trial.cases), min(size, len(trial.cases)))
            [scored] = await trial.score([made[place]], cases)
            value = scored.on(cases) or 0.0
            study.tell(asked, value)
            tried.setdefault(place, []).append(value)
            if number % FULL_EVERY == 0:
                await _full(trial, made, tried)
        await _full(trial, made, tried)

    async def _instructions(
        self, trial: Trial, base: Scored, surface: str, count: int
    ) -> list[str]:
        """Return the instructions to choose from, the old one first."""
        plans = [outcome.plan[: 3 * _LONGEST] for outcome in base.outcomes.values()]
        good = _good(base)[:_SUMMARY]
        calls = []
        for n in range(1, count):
            drawn = trial.random.sample(plans, min(2, len(plans)))
            calls.append(
                Call(
                    key=f"instruction_{n}",
                    system=instructions.read("mipro"),
                    user="\n\n".join(
                        [
                            proposing.aims(trial),
                            proposing.named(surface, trial.baseline.texts[surface]),
                            json_block("plans", drawn),
                            json_block("outputs", good),
                            proposing.feedback(base.worst(_SUMMARY)),
                            f"Hint {n}: {TIPS[n % len(TIPS)]}",
                        ]
                    ),
                    schema=Variant,
                    max_output_tokens=REPLY_TOKENS,
                )
            )
        replies = await trial.ask_all(self.name, calls)
        made = [reply.value.text for reply in replies if reply.value is not None]
        return [trial.baseline.texts[surface], *made]


def demonstration_sets(trial: Trial, base: Scored, count: int) -> list[tuple[str, ...]]:
    """Return sets of texts that the step wrote where it did well; the first set is empty."""
    good = _good(base)
    sets: list[tuple[str, ...]] = [()]
    for _ in range(count - 1):
        if not good:
            break
        drawn = tuple(trial.random.sample(good, min(DEMONSTRATIONS, len(good))))
        if drawn not in sets:
            sets.append(drawn)
    return sets


def _good(base: Scored) -> list[str]:
    passed = [o for o in base.outcomes.values() if o.score is not None and o.score >= GOOD]
    texts = [text for outcome in passed for text in proposing.leaves(outcome.output)]
    return [t for t in dict.fromkeys(texts) if _SHORTEST <= len(t) <= _LONGEST]


def _joined(trial: Trial, surface: str, text: str, demos: Sequence[str]) -> Proposal | None:
    quotes = "".join(f"\n> {' '.join(demo.split())}\n" for demo in demos)
    return trial.admit(
        {surface: f"{text.rstrip()}\n{quotes}"}, operator="instruction and demonstrations",
        parents=[trial.baseline], change=f"another text with {len(demos)} demonstrations",
        demonstrations=[" ".join(demo.split()) for demo in demos],
    )  # fmt: skip


async def _full(
    trial: Trial,
    made: dict[tuple[int, int], Proposal],
    tried: dict[tuple[int, int], list[float]],
) -> None:
    """Score the best mean that was not scored on all cases yet."""
    order = sorted(tried, key=lambda place: -sum(tried[place]) / len(tried[place]))
    for place in order:
        [known] = await trial.score([made[place]], [])
        missing = sum(case.id not in known.outcomes for case in trial.cases)
        if missing and trial.left >= missing:
            await trial.score([made[place]], trial.cases)
            return
        if not missing:
            continue
        return


GENERATOR = MiproV2
