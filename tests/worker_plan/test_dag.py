"""The task graph in each of its formats."""

from __future__ import annotations

import json
import re

import networkx as nx

from tests.worker_plan.conftest import shared
from worker_plan import dag


def test_json_is_the_contract() -> None:
    """Steps, artifacts and producers are those of `steps.json`, upstream ones first."""
    rows = {row["step"]: row for row in json.loads(dag.as_json())}
    contract = json.loads(shared("pipeline", "steps.json").read_text())
    assert {name: (row["artifacts"], row["reads_from"]) for name, row in rows.items()} == {
        row["step"]: (row["artifacts"], sorted(row["reads_from"])) for row in contract
    }
    names = list(rows)
    assert all(
        names.index(up) < names.index(name) for name in rows for up in rows[name]["reads_from"]
    )


def test_mermaid_has_every_way_and_no_shortcut() -> None:
    """Edges that a longer path implies are left out; what is reachable stays reachable."""
    edges = re.findall(r"^    (\w+) --> (\w+)$", dag.as_mermaid(), re.MULTILINE)
    sparse = nx.DiGraph(edges)
    whole = dag.task_graph()
    assert nx.transitive_closure(sparse).edges == nx.transitive_closure(whole).edges
    assert len(edges) < whole.number_of_edges()


def test_svg_names_every_step_and_is_the_same_each_time() -> None:
    """The drawing is a whole SVG with one label a step."""
    drawn = dag.as_svg()
    assert drawn.startswith("<?xml")
    assert drawn.endswith("</svg>\n")
    comments = " ".join(re.findall(r"<!-- (\w+) -->", drawn))
    for name in dag.task_graph():
        assert all(word in comments for word in name.split("_"))
    assert dag.as_svg() == drawn
