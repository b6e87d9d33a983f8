"""The house: which rooms there are, that the contracts name all of them, and no circles.

That no import goes against the contracts is checked by `make contracts`.
"""

from __future__ import annotations

import tomllib

import networkx as nx
import pytest

from tools import architecture
from tools import architecture_picture as picture

ROOT = architecture.ROOT
PACKAGES = ("model_gateway", "worker_plan", "rubrics", "self_improve", "analysis", "prompt_lab")
MOST_BOXES, MOST_MODULES = 30, 12


@pytest.fixture(scope="module")
def imports() -> nx.DiGraph[str]:
    """Return which module of the packages and the tools imports which."""
    return architecture.imports(*PACKAGES, "tools")


def boxes() -> dict[str, bool]:
    """Return the folders and modules of self_improve, and which of them are folders."""
    folder = ROOT / "self_improve"
    return {
        path.stem: path.is_dir()
        for path in sorted(folder.iterdir())
        if (path / "__init__.py").is_file() or (path.suffix == ".py" and path.stem != "__init__")
    }


def test_every_folder_and_module_of_self_improve_is_in_one_row_of_its_contract() -> None:
    """A new room gets a row; a row names no room that is gone, and none twice."""
    named = [name for row in architecture.layers("self_improve") for name in row]
    assert sorted(named) == list(boxes())


def test_self_improve_shows_few_boxes_and_fewer_modules() -> None:
    """A newcomer sees about 30 boxes; at the top are only commands and what they share."""
    assert len(boxes()) <= MOST_BOXES
    assert sum(not is_folder for is_folder in boxes().values()) <= MOST_MODULES


def test_no_row_of_a_contract_allows_imports_within_it() -> None:
    """Rows part their boxes by '|': with ':' they could import each other."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rows = [row for contract in contracts for row in contract.get("layers", ())]
    assert rows
    assert not [row for row in rows if ":" in row]


def test_no_imports_form_a_circle(imports: nx.DiGraph[str]) -> None:
    """Every file can be read after those it imports."""
    assert list(nx.simple_cycles(imports)) == []


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("analysis", {"self_improve"}),
        ("rubrics", {"self_improve", "analysis"}),
        ("worker_plan", {"self_improve", "analysis", "rubrics", "prompt_lab"}),
        ("prompt_lab", {"self_improve", "analysis", "rubrics", "worker_plan"}),
        ("model_gateway", {*PACKAGES} - {"model_gateway"}),
        ("self_improve", {"worker_plan"}),
    ],
)
def test_no_import_leads_back_up(package: str, above: set[str], imports: nx.DiGraph[str]) -> None:
    """The packages stand on each other in one direction; the optimizer never imports the host."""
    edges = [
        (module, target)
        for module, target in imports.edges
        if module.partition(".")[0] == package and target.partition(".")[0] in above
    ]
    assert edges == []


def test_the_program_does_not_import_tools_or_tests(imports: nx.DiGraph[str]) -> None:
    """Commands for developers use the program; it works without them."""
    users = {module for module, target in imports.edges if target.startswith("tools")}
    assert all(module.startswith("tools") for module in users)
    assert not [module for module in imports if module.startswith("tests")]


def test_the_picture_shows_every_room_and_none_overlaps() -> None:
    """Every box of the contracts is drawn, inside the picture and apart from its neighbours."""
    scene = architecture.scene(architecture.tree())
    drawing = picture.Drawing(scene)
    names = {name for row in (*scene.rows, *scene.shared) for name in row}
    assert names >= set(boxes())
    for row in scene.rows:
        spans = sorted(
            (drawing.x[name] - width / 2, drawing.x[name] + width / 2)
            for name in row
            if (width := picture.width_of(name))
        )
        edges = [edge for span in spans for edge in span]
        assert edges == sorted(edges)
        assert edges[0] > 0
        assert edges[-1] < picture.WIDTH
