"""PromptAgent: a tree search; error feedback is the action, a held-out score is the reward.

Source: Wang et al. 2024, PromptAgent: Strategic Planning with Language Models Enables Expert-level
Prompt Optimization (arXiv 2310.16427), and its code.

Defaults: 12 iterations of Monte Carlo tree search: selection by UCT with an exploration weight of
2.5, expansion by 3 children, simulation by descending to the best child, backpropagation of the sum
of rewards from a node to the end of the path. An action is a batch of 5 cases: one call says what
went wrong in them, one rewrites the prompt and sees the path to it. At most 5 deep (the source has
5 to 8); below depth 2 a node ends its path if its reward is under the mean of parent's and root's,
or above all before it. The result is the node with the best reward on the path with the best mean.
Adapted: at most 5 cases and half of the train cases are held out for the rewards, the batches come
from the others; the result is confirmed on all. --small: 30 iterations.

Needs: a proposer, 6 calls an expansion (3 name errors, 3 rewrite).

Costs: up to 30 cells an expansion, 1 to 5 expansions an iteration; with 500 cells about 20
expansions and 120 calls.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, Field

from model_gateway.material import json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import confirm, has_room, sample
from self_improve.search.trial import Case, CellOutcome, Proposal, Scored, Trial

ITERATIONS, WIDTH, DEPTH, LEAST_DEPTH, BATCH, HELD_OUT = 12, 3, 5, 2, 5, 5
EXPLORATION = 2.5
PERFECT = 0.999
_SMALL_ITERATIONS = 30
_FRUITLESS = 3
_LONGEST = 1500


class ErrorFeedback(BaseModel):
    """What went wrong in a batch, and why."""

    feedback: str = Field(description="2 to 6 sentences.")


@dataclass(kw_only=True, eq=False)
class Node:
    """A state: a proposal, its reward, and the returns of the paths through it."""

    proposal: Proposal
    reward: float
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    ended: bool = False

    @property
    def depth(self) -> int:
        """The number of actions that lead here."""
        return 0 if self.parent is None else self.parent.depth + 1

    @property
    def path(self) -> list[Node]:
        """The nodes from the root to this one."""
        return [*(self.parent.path if self.parent is not None else []), self]

    @property
    def value(self) -> float:
        """The mean return, or the reward if no path has passed through the node."""
        return sum(self.returns) / len(self.returns) if self.returns else self.reward


class PromptAgent:
    """Strategic planning over prompts."""

    name = "promptagent"

    async def search(self, trial: Trial) -> None:
        """Grow the tree, iteration by iteration."""
        tree = _Tree(trial)
        await tree.plant()
        paths: list[list[Node]] = []
        fruitless = 0
        for iteration in range(1, (_SMALL_ITERATIONS if trial.small else ITERATIONS) + 1):
            grown = tree.size
            path = select(tree.root)
            if path[-1].depth < DEPTH:
                await tree.expand(path[-1], f"iteration_{iteration}")
                await tree.simulate(path, f"iteration_{iteration}")
            backpropagate(path)
            paths.append(path)
            fruitless = 0 if tree.size > grown else fruitless + 1
            if tree.full or fruitless == _FRUITLESS:
                trial.note("no room is left" if tree.full else "the tree no longer grows")
                break
        [best] = await trial.score([chosen(paths).proposal], [])
        await confirm(trial, [best], tree.held_out, 1)


class _Tree:
    """The tree of one search, and the calls that grow it; `full`: the budget ended it."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        count = max(1, min(HELD_OUT, len(trial.cases) // 2))
        self.held_out = sample(trial, count)
        rest = [case for case in trial.cases if case not in self.held_out]
        self._rest = rest or self.held_out
        self.size = 1
        self.full = False

    async def plant(self) -> None:
        """Make the root."""
        [scored] = await self._trial.score([self._trial.baseline], self.held_out)
        self.root = Node(proposal=scored.proposal, reward=scored.on(self.held_out) or 0.0)
        self._highest = self.root.reward

    async def expand(self, node: Node, key: str) -> None:
        """Add children to `node`: one for each batch in which something went wrong."""
        if node.ended:
            return
        size = min(BATCH, len(self._rest))
        batches = [self._trial.random.sample(self._rest, size) for _ in range(WIDTH)]
        cases = list(dict.fromkeys(case for batch in batches for case in batch))
        [scored] = await self._trial.score([node.proposal], [])
        new = sum(case.id not in scored.outcomes for case in cases)
        if not has_room(self._trial, new + WIDTH * len(self.held_out), 1):
            self.full = True
            return
        [tried] = await self._trial.score([node.proposal], cases)
        errors = [_errors(tried, batch) for batch in batches]
        rewrites = await self._rewritten(node, [wrong for wrong in errors if wrong], key)
        for one in await self._trial.score(rewrites, self.held_out):
            reward = one.on(self.held_out) or 0.0
            child = Node(proposal=one.proposal, reward=reward, parent=node)
            child.ended = ends(child, self.root.reward)
            node.children.append(child)
        self.size += len(rewrites)

    async def simulate(self, path: list[Node], key: str) -> None:
        """Extend `path` by the best child each time, until it ends."""
        node = path[-1]
        while True:
            if node.reward > self._highest and node.depth > LEAST_DEPTH:
                node.ended = True
            self._highest = max(self._highest, node.reward)
            if node.ended or self.full:
                return
            if not node.children:
                await self.expand(node, key)
            if not node.children:
                node.ended = not self.full
                return
            node = max(node.children, key=lambda child: child.reward)
            path.append(node)

    async def _rewritten(
        self, node: Node, batches: Sequence[Sequence[CellOutcome]], key: str
    ) -> list[Proposal]:
        """Return one rewrite of the node's prompt for the errors of each batch."""
        trial = self._trial
        error_replies = await trial.ask_all(
            "promptagent_error",
            [
                proposer_calls.question(
                    f"{key}/depth_{node.depth}/error_{n}",
                    "promptagent_error",
                    proposer_calls.aims(trial),
                    proposer_calls.prompt_blocks(trial, node.proposal),
                    json_block("errors", [proposer_calls.pair(one, _LONGEST) for one in wrong]),
                    proposer_calls.feedback(wrong),
                    schema=ErrorFeedback,
                )
                for n, wrong in enumerate(batches, start=1)
            ],
        )
        path = [(one.proposal.texts, one.reward) for one in node.path]
        replies = await trial.ask_all(
            PromptAgent.name,
            [
                proposer_calls.question(
                    f"{key}/depth_{node.depth}/rewrite_{n}",
                    "promptagent",
                    proposer_calls.aims(trial),
                    proposer_calls.prompt_blocks(trial, node.proposal),
                    proposer_calls.feedback(wrong, [one.value.feedback]),
                    proposer_calls.attempts(trial, path),
                    schema=Variant,
                )
                for n, (wrong, one) in enumerate(zip(batches, error_replies, strict=True), start=1)
                if one.value is not None
            ],
        )
        variants = (reply.value for reply in replies)
        return proposer_calls.admit_all(trial, variants, [node.proposal], PromptAgent.name)


def uct(node: Node) -> float:
    """Return the upper confidence bound of a node: its value and what exploring it is worth.

    Kocsis and Szepesvári 2006, Bandit Based Monte-Carlo Planning.
    """
    times = len(node.parent.returns) if node.parent is not None else 0
    return node.value + EXPLORATION * math.sqrt(math.log(times + 1) / max(1, len(node.returns)))


def select(root: Node) -> list[Node]:
    """Return the path from the root to a leaf, each time by the highest bound."""
    path = [root]
    while path[-1].children and not path[-1].ended:
        path.append(max(path[-1].children, key=uct))
    return path


def backpropagate(path: Sequence[Node]) -> None:
    """Add to every node on the path the sum of the rewards from it to the end."""
    total = 0.0
    for node in reversed(path):
        total += node.reward
        node.returns.append(total)


def ends(node: Node, root_reward: float) -> bool:
    """Whether paths end at this node: it is deep enough, or not promising."""
    before = root_reward if node.parent is None else node.parent.reward
    poor = node.depth > LEAST_DEPTH and node.reward < (before + root_reward) / 2
    return poor or node.depth >= DEPTH


def chosen(paths: Sequence[Sequence[Node]]) -> Node:
    """Return the node with the best reward on the path with the best mean."""
    best = max(paths, key=lambda path: sum(node.reward for node in path) / len(path))
    return max(best, key=lambda node: node.reward)


def _errors(tried: Scored, batch: Sequence[Case]) -> list[CellOutcome]:
    outcomes = [tried.outcomes[case.id] for case in batch]
    return [one for one in outcomes if one.score is None or one.score < PERFECT]
