"""PromptAgent plans: it selects, expands, simulates, and lets rewards flow back."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import pytest

from model_gateway.call import Call
from self_improve.generators import promptagent
from self_improve.generators.promptagent import (
    DEPTH,
    EXPLORATION,
    ITERATIONS,
    WIDTH,
    Node,
    PromptAgent,
    backpropagate,
    chosen,
    ends,
    select,
    uct,
)
from self_improve.search.trial import Proposal
from tests.self_improve.scripted_search import (
    CASES,
    START,
    SURFACE,
    filled,
    helpful,
    shown,
)


def node(name: str, reward: float, parent: Node | None = None) -> Node:
    """Return a node, hung under its parent."""
    node = Node(proposal=Proposal(id=name, texts={SURFACE: name}), reward=reward, parent=parent)
    if parent is not None:
        parent.children.append(node)
    return node


def test_bound_weighs_value_and_rarity() -> None:
    """As the formula says."""
    root = node("root", 0.2)
    child = node("child", 0.5, root)
    root.returns = [0.7, 0.9, 0.8]
    assert uct(child) == pytest.approx(0.5 + EXPLORATION * math.sqrt(math.log(4)))
    child.returns = [0.5, 0.7]
    assert uct(child) == pytest.approx(0.6 + EXPLORATION * math.sqrt(math.log(4) / 2))


def test_selection_follows_the_highest_bound_to_a_leaf() -> None:
    """Early on rarity decides, later value."""
    root = node("root", 0.2)
    good, poor = node("good", 0.9, root), node("poor", 0.1, root)
    assert select(root)[-1] is good
    root.returns, good.returns = [1.1] * 3, [0.9] * 3
    assert select(root)[-1] is poor
    root.returns, good.returns, poor.returns = [1.0] * 400, [0.9] * 200, [0.1] * 200
    leaf = node("leaf", 0.5, good)
    assert select(root) == [root, good, leaf]


def test_rewards_flow_back_as_sums_to_the_end_of_the_path() -> None:
    """Each node learns what came from it on."""
    root = node("root", 0.2)
    middle = node("middle", 0.4, root)
    last = node("last", 0.5, middle)
    backpropagate([root, middle, last])
    backpropagate([root, middle])
    assert root.returns == pytest.approx([1.1, 0.6])
    assert middle.value == pytest.approx((0.9 + 0.4) / 2)
    assert last.returns == [0.5]


def test_path_ends_by_depth_or_for_want_of_promise() -> None:
    """Not above the least depth."""
    root = node("root", 0.6)
    one = node("one", 0.1, root)
    two = node("two", 0.1, one)
    assert not ends(one, 0.6)
    assert not ends(two, 0.6)
    assert ends(node("poor", 0.3, two), 0.6)
    rich = node("rich", 0.4, two)
    assert not ends(rich, 0.6)
    while rich.depth < DEPTH:
        rich = node("deeper", 0.9, rich)
    assert ends(rich, 0.6)


def test_best_node_of_the_best_path_is_returned() -> None:
    """A high reward on a poor path does not count."""
    root = node("root", 0.5)
    steady = [root, node("a", 0.6, root), node("b", 0.7, root), node("c", 0.6, root)]
    wild = [root, node("x", 0.0, root), node("y", 0.9, root)]
    assert chosen([wild, steady]).proposal.id == "b"


def test_action_is_error_feedback_that_rewrites(search) -> None:
    """Each child comes from a batch of its own: one call names the causes, one rewrites."""

    def answer(role: str, call: Call[Any]) -> Any:
        if role == "promptagent_error":
            return filled(call, f"cause found in {call.key}")
        return helpful(role, call)

    scripted = search(answer)
    asyncio.run(scripted.run(PromptAgent()))
    calls = {call.key: call for _, call in scripted.counsel.log}
    for n in range(1, WIDTH + 1):
        assert "near_duplicates" in calls[f"iteration_1/depth_0/error_{n}"].user
        rewrite = calls[f"iteration_1/depth_0/rewrite_{n}"]
        assert f"cause found in iteration_1/depth_0/error_{n}" in rewrite.user
    way = calls["iteration_1/depth_2/rewrite_1"].user.split("<attempts>")[1]
    assert way.count('"score"') == 3


def test_rewards_come_from_cases_that_no_batch_holds(search) -> None:
    """What a prompt was rewritten for does not judge it."""
    scripted = search(helpful)
    tree = promptagent._Tree(scripted)
    assert not set(tree.held_out) & set(tree._rest)
    assert set(tree.held_out) | set(tree._rest) == set(CASES)
    asyncio.run(tree.plant())
    asyncio.run(tree.expand(tree.root, "key"))
    root, children = {c for t, c in scripted.measure.cells if t == START}, tree.root.children
    assert root == set(CASES)
    assert len(children) == WIDTH
    for child in children:
        cells = {c for t, c in scripted.measure.cells if t == child.proposal.texts[SURFACE]}
        assert cells == set(tree.held_out)


def test_tree_grows_wide_and_deep_and_no_deeper(search) -> None:
    """Three children a node, five steps at most, twelve iterations at most."""
    scripted = search(helpful, cells=3000)
    result = asyncio.run(scripted.run(PromptAgent()))
    parents: dict[str, int] = {}
    depth = {result.scored[0].proposal.id: 0}
    for one in result.scored[1:]:
        parent = one.proposal.parents[0]
        parents[parent] = parents.get(parent, 0) + 1
        depth[one.proposal.id] = depth[parent] + 1
    assert max(parents.values()) <= WIDTH
    assert 2 < max(depth.values()) <= DEPTH
    iterations = {call.key.split("/")[0] for _, call in scripted.counsel.log}
    assert 1 < len(iterations) <= ITERATIONS


def test_simulation_goes_on_to_the_best_child(search) -> None:
    """Within one iteration the path gets longer."""
    scripted = search(helpful)
    asyncio.run(scripted.run(PromptAgent()))
    depths = [
        c.key.split("/")[1] for _, c in scripted.counsel.log if c.key.startswith("iteration_1/")
    ]
    assert depths == sorted(depths)
    assert len(set(depths)) > 2
    deeper = [c for _, c in scripted.counsel.log if c.key == "iteration_1/depth_1/error_1"]
    assert shown(deeper[0])[0][1].count("once") == 1


def test_nothing_wrong_leaves_nothing_to_do(search, rows) -> None:
    """A perfect prompt has no error feedback."""
    result = asyncio.run(search(helpful, rule=lambda t, c: 1.0, force=True).run(PromptAgent()))
    assert result.proposer_calls == 0
    assert any("no longer grows" in row.get("text", "") for row in rows)
