"""The task graph of the pipeline, as JSON, Mermaid and SVG."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import networkx as nx

from worker_plan.pipeline import all_steps, step_name


def task_graph() -> nx.DiGraph[str]:
    """Return the steps as nodes, with an edge from each producer to each reader.

    A node's `artifacts` are the names of what it writes.
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    for step in all_steps():
        graph.add_node(step_name(step), artifacts=[artifact.name for artifact in step.writes()])
    for step in all_steps():
        for artifact in step.reads():
            graph.add_edge(step_name(artifact.owner), step_name(step))
    return graph


def as_json() -> str:
    """Return the graph as a list of steps, upstream ones first, in the form of `steps.json`."""
    graph = task_graph()
    rows = [
        {
            "step": name,
            "artifacts": graph.nodes[name]["artifacts"],
            "reads_from": sorted(graph.predecessors(name)),
        }
        for name in nx.lexicographical_topological_sort(graph)
    ]
    return json.dumps(rows, indent=1) + "\n"


def as_mermaid() -> str:
    """Return the graph as a Mermaid flowchart, without the edges that longer paths imply."""
    graph = _sparse()
    lines = ["flowchart LR", *(f"    {name}" for name in sorted(graph.nodes))]
    lines += [f"    {before} --> {after}" for before, after in sorted(graph.edges)]
    return "\n".join(lines) + "\n"


def as_svg() -> str:
    """Return the graph as a drawing, upstream on the left, without implied edges."""
    # Imported here because only this format needs it, and it takes half a second.
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    graph = _sparse()
    for layer, names in enumerate(nx.topological_generations(graph)):
        for name in names:
            graph.nodes[name]["layer"] = layer
    positions = nx.multipartite_layout(graph, subset_key="layer")
    figure = Figure(figsize=(1.9 * (layer + 1), 11), layout="tight")
    axes = figure.add_subplot()
    axes.set_axis_off()
    nx.draw_networkx_edges(graph, positions, ax=axes, edge_color="#9aa5b1", node_size=900)
    for name, (x, y) in positions.items():
        axes.text(
            x, y, name.replace("_", "\n"), ha="center", va="center", fontsize=6,
            bbox={"boxstyle": "round", "facecolor": "#eef2f6", "edgecolor": "#52606d"},
        )  # fmt: skip
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "plumbline"}):  # The same graph gives the same bytes.
        figure.set_canvas(FigureCanvasSVG(figure))
        figure.savefig(file, format="svg", metadata={"Date": None, "Title": "Task graph"})
    return file.getvalue()


FORMATS: dict[str, Callable[[], str]] = {"json": as_json, "mermaid": as_mermaid, "svg": as_svg}


def _sparse() -> nx.DiGraph[str]:
    """Return the graph without the edges that longer paths imply, so that it can be read."""
    return nx.transitive_reduction(task_graph())
