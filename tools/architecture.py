"""Writes docs/architecture.md and its picture from the import graph: `make architecture`.

The rows of the picture are the rows of the contracts in pyproject.toml, its lines are imports, and
what a room holds is the first line of its docstring. Only the path of one prompt constant is
written here; each of its modules must exist.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
import networkx as nx

from tools.architecture_picture import Drawing, Scene

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "figures" / "architecture.svg"
OPTIMIZER = "self_improve"
CONSTANT = "LEVERS_SYSTEM_PROMPT"
GOAL = "pull request"

PATH = {
    "worker_plan.steps.identify_potential_levers": "declares the prompt constant",
    "self_improve.host.surfaces": "lists it as a prompt surface of its step",
    "self_improve.generators.reflective": "proposes a new text for it",
    "self_improve.code.patch": "writes the text into the file, on a branch",
    "self_improve.cells.zygote": "forks a child that runs the step there",
    "model_gateway.gateway": "sends the step's messages to the model",
    "self_improve.runs.matrix": "collects the cells of both sides into runs",
    "prompt_lab.record": "stores each run in the data repo",
    "self_improve.records.run_reading": "reads replies and artifacts back",
    "self_improve.measures.measurer": "turns each cell into numbers",
    "self_improve.verdict.verdict": "says KEEP, REJECT or INCONCLUSIVE",
    "self_improve.comparison.comparison": "shows the verdict beside the numbers",
    "self_improve.iteration.iterate": "runs further checks and decides",
    "self_improve.forge.forge": "writes the decision on the pull request",
}
"""The modules that a prompt constant passes on its way to the pull request, and what they do."""

TEXT = """\
# Architecture

For developers who open the code for the first time. After this page you know which folder holds
what, which folder may import which, and where a change of yours belongs. `make architecture`
writes the page and the picture from the import graph and the contracts in `pyproject.toml`.

![The rooms of self_improve, their imports, and the path of one prompt constant]({picture})

- **A row** is a row of the import contract. A box may import boxes in lower rows, never in its own
  row or above. `make contracts` checks that.
- **A grey line** is an import; lines that follow from others are left out. **Dashed boxes** are
  single files, most of them commands; the others are folders, called rooms.
- **The blue path** follows one prompt constant from its step's file to the pull request. It goes up
  on the left, where the step is run, and up again on the right, where the outputs are judged. Both
  sides meet in `iteration`.

## The path of one prompt constant

`{constant}` is a [surface](glossary.md#surface): a text that a step sends. A new text for it
becomes [evidence](glossary.md#evidence) in these modules, one [cell](glossary.md#cell) after the
other:

{stations}

## The rooms of the optimizer

| row | room | what it is for |
|---:|---|---|
{rooms}

## The packages

Each imports only packages further down in this table.

| package | what it is for |
|---|---|
{packages}

## Where to add what

| to add | write |
|---|---|
| a step of the embedded pipeline | a file in `worker_plan/steps/` ([steps.md](steps.md)) |
| a rubric | `rubrics/STEP.yaml` ([rubrics.md](rubrics.md)) |
| a metric | a file in `self_improve/measures/metrics/` |
| a search algorithm | a file in `self_improve/generators/` |
| a model | a TOML file in `llm_config/` ([models.md](models.md)) |
| a model provider | a file in `model_gateway/providers/` |
| a pipeline of your own | a `host.toml` beside its code ([hosts.md](hosts.md)) |
| a command | a module with a parser, and its line in `self_improve/command_line.py` |

Nothing else has to change: the program finds steps, metrics, generators and providers by looking
into their folders.

## Rules that tests check

- Imports follow the contracts, without exceptions (`make contracts`).
- Every folder and top-level file of `self_improve/` is in a row of its contract; no imports form a
  cycle anywhere (`tests/test_house.py`).
- The optimizer never imports the host. It knows a pipeline only through `host.toml`.
- Nothing that proposes or judges can read the rules of the simulated model.
"""


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The packages as the import linter sees them: rows from top to bottom, and all imports."""

    packages: tuple[tuple[str, ...], ...]
    rooms: tuple[tuple[str, ...], ...]
    imports: nx.DiGraph[str]

    def box(self, module: str) -> str:
        """Return the box of a module: a room of the optimizer, or another package as a whole."""
        package, _, rest = module.partition(".")
        return rest.partition(".")[0] if package == OPTIMIZER else package

    def module(self, box: str) -> str:
        """Return the module that a box stands for."""
        return f"{OPTIMIZER}.{box}" if any(box in row for row in self.rooms) else box

    def is_folder(self, box: str) -> bool:
        """Whether a box holds several modules."""
        start = f"{self.module(box)}."
        return any(module.startswith(start) for module in self.imports)

    def between(self, boxes: frozenset[str]) -> nx.DiGraph[str]:
        """Return the imports between boxes, without those that others imply."""
        lines: nx.DiGraph[str] = nx.DiGraph()
        for one, other in self.imports.edges:
            ends = (self.box(one), self.box(other))
            if ends[0] != ends[1] and boxes.issuperset(ends):
                lines.add_edge(*ends)
        return nx.transitive_reduction(lines)


def layers(container: str | None) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a package's contract, or, without one, of that between the packages."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    containers = [container] if container else None
    [rows] = [
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if "layers" in contract and contract.get("containers") == containers
    ]
    return tuple(tuple(part.strip() for part in row.split("|")) for row in rows)


@cache
def imports(*packages: str) -> nx.DiGraph[str]:
    """Return which module imports which."""
    built = grimp.build_graph(*packages, cache_dir=None)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(sorted(built.modules))
    for module in sorted(built.modules):
        for target in sorted(built.find_modules_directly_imported_by(module)):
            graph.add_edge(module, target)
    return graph


def tree() -> Tree:
    """Return the packages, read from the contracts and the import graph."""
    packages = layers(None)
    graph = imports(*(name for row in packages for name in row))
    return Tree(packages=packages, rooms=layers(OPTIMIZER), imports=graph)


def scene(tree: Tree) -> Scene:
    """Return what the picture shows of the packages."""
    stations = [tree.box(module) for module in PATH]
    inside = max(n for n, row in enumerate(tree.rooms, start=1) if set(row) & set(stations))
    rows = [*tree.rooms[:inside], *tree.packages[1:]]
    lines = tree.between(frozenset(name for row in rows for name in row))
    ends = {stations[0]: CONSTANT, stations[-1]: GOAL}
    boxes = [name for row in (*tree.rooms, *tree.packages[1:]) for name in row]
    return Scene(
        frame=OPTIMIZER,
        rows=[[*row, *(ends[name] for name in row if name in ends)] for row in rows],
        inside=inside,
        shared=tree.rooms[inside:],
        imports=sorted(lines.edges),
        path=[CONSTANT, *stations, GOAL],
        legend=list(PATH.values()),
        commands=frozenset(name for name in boxes if not tree.is_folder(name)),
        holds={name: purpose(tree.module(name)) for name in boxes},
    )


def file_of(module: str) -> Path:
    """Return the file of a module, or that of a package's docstring."""
    path = ROOT.joinpath(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not file.is_file():
        raise SystemExit(f"There is no module {module}. Correct PATH in tools/architecture.py.")
    return file


def purpose(module: str) -> str:
    """Return the first line of a module's docstring."""
    docstring = ast.get_docstring(ast.parse(file_of(module).read_text(encoding="utf-8")))
    return docstring.partition("\n")[0] if docstring else ""


def link(module: str, text: str) -> str:
    """Return a link from the page to a module's file, or to a package's folder."""
    path = file_of(module)
    target = path.parent if path.name == "__init__.py" else path
    return f"[`{text}`](../{target.relative_to(ROOT)})"


def page(tree: Tree) -> str:
    """Return the page."""
    stations = [
        f"{number}. {link(module, module)} {happens}."
        for number, (module, happens) in enumerate(PATH.items(), start=1)
    ]
    rooms = [
        f"| {number} | {link(tree.module(name), name)} | {purpose(tree.module(name))} |"
        for number, row in enumerate(tree.rooms, start=1)
        for name in row
    ]
    packages = [
        f"| {link(name, name)} | {purpose(name)} |" for row in tree.packages for name in row
    ]
    return TEXT.format(
        constant=CONSTANT,
        picture=PICTURE.relative_to(PAGE.parent),
        stations="\n".join(stations),
        rooms="\n".join(rooms),
        packages="\n".join(packages),
    )


def texts() -> Mapping[Path, str]:
    """Return the page and the picture by the files that hold them."""
    current = tree()
    return {PAGE: page(current), PICTURE: Drawing(scene(current)).svg()}


if __name__ == "__main__":
    for path, text in texts().items():
        path.write_text(text, encoding="utf-8")
        print(f"Wrote {path}.")
