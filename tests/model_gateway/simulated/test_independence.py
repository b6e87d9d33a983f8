"""Nothing that proposes or judges prompts knows how the simulated model responds to them."""

from __future__ import annotations

import ast
from pathlib import Path

from model_gateway.providers import simulated
from model_gateway.providers.simulated import roles
from model_gateway.providers.simulated.persona import PERSONAS
from model_gateway.providers.simulated.provider import build
from model_gateway.providers.simulated.rules import Rules
from tests.model_gateway.simulated.conftest import a_model, a_request
from tests.model_gateway.simulated.test_roles import Proposals, play, shown
from tests.model_gateway.simulated.test_translation import RICH

_HOME = Path(simulated.__file__).parent
_PACKAGE = "model_gateway.providers.simulated"
_SECRET = {"rules", "persona", "manner", "prompt", "step_voice", "step_model", "faults"}


def _imported(path: Path) -> set[str]:
    """Return the modules of the package that a file imports, as dotted names below it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            whole = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            whole = [alias.name for alias in node.names]
        else:
            continue
        names.update(n.removeprefix(f"{_PACKAGE}.") for n in whole if n.startswith(f"{_PACKAGE}."))
    return names


def test_roles_reach_no_module_of_the_ground_truth() -> None:
    """Followed through all their imports, the roles never reach rules or personas."""
    waiting = sorted(Path(roles.__file__).parent.glob("*.py"))
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        for name in _imported(path):
            assert name.split(".")[0] not in _SECRET, f"{path.name} imports {name}"
            module = (_HOME / name.replace(".", "/")).with_suffix(".py")
            if module.is_file() and module not in seen:
                waiting.append(module)
    assert len(seen) > 15


def test_ground_truth_is_still_called_that() -> None:
    """The modules that must stay secret exist under the names that are checked."""
    assert all((_HOME / f"{name}.py").is_file() for name in _SECRET)


def test_flipped_rules_change_the_step_and_not_the_proposals() -> None:
    """With all signs turned round the step answers otherwise, and the proposer as before."""
    first = play("proposer", Proposals, shown(RICH), "Make 6.")
    straight = a_model("weak").answer(a_request(RICH)).text
    flipped = a_model("weak", Rules().flipped()).answer(a_request(RICH)).text
    assert straight != flipped
    assert play("proposer", Proposals, shown(RICH), "Make 6.") == first


def test_rules_cannot_be_given_to_a_role() -> None:
    """The provider of a role has no place to put them."""
    assert set(PERSONAS).isdisjoint(roles.ROLES)
    assert "rules" not in build.__annotations__
