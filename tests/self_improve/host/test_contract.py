"""The contract with a host: names of artifacts across generations, and the file that says it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from prompt_lab.record import file_digest
from self_improve.errors import UsageError
from self_improve.host import contract
from self_improve.host.contract import EMBEDDED, VARIABLE, Host
from tests.self_improve import hosts
from tests.self_improve.hosts import shared

WORKER_PLAN = contract.load(EMBEDDED)
NUMBER = re.compile(r"^\d{3}-")
NAME = st.from_regex(r"[a-z][a-z0-9_-]{0,20}\.(json|md|txt|html)", fullmatch=True)
NUMBERS = st.tuples(st.integers(0, 999), st.none() | st.integers(0, 99))

GOOD = """
import_roots = ["pipeline"]
tasks = ["pipeline.tasks:All"]
run_dir = "run_dir"
model = "models"
"""


def numbered(name: str, numbers: tuple[int, int | None]) -> str:
    """Return a name of the numbered generation."""
    first, second = numbers
    return f"{first:03d}-{name}" if second is None else f"{first:03d}-{second}-{name}"


@settings(deadline=None)
@given(NAME, NUMBERS, NUMBERS)
def test_generations_of_a_name_meet(
    name: str, one: tuple[int, int | None], other: tuple[int, int | None]
) -> None:
    """Numbered and unnumbered names of one artifact have the same common form."""
    common = WORKER_PLAN.common_name(name)
    assert common == name
    assert WORKER_PLAN.common_name(numbered(name, one)) == common
    assert WORKER_PLAN.common_name(numbered(name, other)) == common


@settings(deadline=None)
@given(NAME, NAME, NUMBERS)
def test_different_names_stay_apart(one: str, other: str, numbers: tuple[int, int | None]) -> None:
    """A number in front makes no artifact another one."""
    assume(one != other)
    assert WORKER_PLAN.name_among(numbered(one, numbers), [numbered(other, numbers), other]) is None


@settings(deadline=None)
@given(name=NAME, numbers=NUMBERS, reader_is_numbered=st.booleans())
def test_name_of_either_generation_is_found(
    name: str, numbers: tuple[int, int | None], *, reader_is_numbered: bool
) -> None:
    """Whichever form the reader knows and the plan has, the one is found by the other."""
    forms = (name, numbered(name, numbers))
    form, there = forms if reader_is_numbered else reversed(forms)
    assert WORKER_PLAN.name_among(form, ["other.md", there]) == there


@settings(deadline=None)
@given(NAME, NUMBERS, NUMBERS)
def test_very_name_wins(
    name: str, one: tuple[int, int | None], other: tuple[int, int | None]
) -> None:
    """Where both generations lie side by side, the name that was asked for is taken."""
    form = numbered(name, one)
    assert WORKER_PLAN.name_among(form, [numbered(name, other), name, form]) == form


def test_ambiguous_name_is_refused() -> None:
    """All names that fit are listed, and nothing is guessed."""
    with pytest.raises(UsageError) as caught:
        WORKER_PLAN.name_among("levers.json", ["002-9-levers.json", "002-10-levers.json", "x.md"])
    assert str(caught.value) == (
        "levers.json could be any of 002-10-levers.json, 002-9-levers.json; keep one of them."
    )


def test_without_rules_only_the_very_name_counts() -> None:
    """A host that says nothing of names has one generation."""
    plain = hosts.host()
    assert plain.name_among("levers.json", ["002-10-levers.json"]) is None
    assert plain.name_among("levers.json", ["levers.json"]) == "levers.json"


def test_rules_apply_one_after_the_other() -> None:
    """Each rule works on what the one before it left, and may use groups."""
    rules = [
        {"pattern": r"^(\w+)\.v\d+\.(\w+)$", "replace": r"\1.\2"},
        {"pattern": r"\.jsn$", "replace": ".json"},
    ]
    assert hosts.host(name_rules=rules).common_name("levers.v2.jsn") == "levers.json"


def test_names_of_the_contract_stay_distinct() -> None:
    """No two artifacts of the recorded pipeline have the same common form."""
    steps = json.loads(shared("pipeline", "steps.json").read_text())
    names = [name for one in steps for name in one["artifacts"]]
    common = [WORKER_PLAN.common_name(name) for name in names]
    assert all(NUMBER.match(name) for name in names)
    assert len(set(common)) == len(names)
    assert not any(NUMBER.match(name) for name in common)


@pytest.mark.parametrize(
    ("module", "belongs"),
    [("pipeline", True), ("pipeline.steps", True), ("pipeline_2", False), ("my.pipeline", False)],
)
def test_modules_below_an_import_root_belong(module: str, *, belongs: bool) -> None:
    """A name that only begins alike is another package."""
    assert hosts.host().owns(module) is belongs


def test_surfaces_can_be_ignored_by_pattern() -> None:
    """Wildcards stand for any part of an id, and case counts."""
    rules = hosts.host(surfaces={"ignore": ["*:OPTIMIZE_*", "a.b:X"]}).surfaces
    assert rules.ignores("a.b.c:OPTIMIZE_INSTRUCTIONS")
    assert rules.ignores("a.b:X")
    assert not rules.ignores("a.b:x")
    assert not rules.ignores("a.b:X.OPTIMIZE_ME")


def test_url_is_used_where_a_variable_names_it() -> None:
    """A host without `{gateway_url}` gets no loopback server."""
    assert hosts.host(environment={"BASE": "{gateway_url}/v1"}).uses_gateway_url
    assert not hosts.host(environment={"TONE": "{speed}"}).uses_gateway_url


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with three host files, one of them named by the environment."""
    for name in ("given.toml", "named.toml", "code/host.toml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(GOOD)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "named.toml"))
    return tmp_path


def test_host_file_is_looked_for_in_order(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was given, then the environment's, then the code tree's, then the embedded."""
    code = places / "code"
    assert contract.locate(places / "given.toml", code) == places / "given.toml"
    assert contract.locate(None, code) == places / "named.toml"
    monkeypatch.delenv(VARIABLE)
    assert contract.locate(None, code) == code / "host.toml"
    assert contract.locate(None, places) == EMBEDDED


def test_host_file_that_was_named_must_be_there(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is taken in its place, and a directory is not a file."""
    for wrong in (places / "gone.toml", places / "code"):
        with pytest.raises(UsageError, match=f"There is no host file {wrong}"):
            contract.locate(wrong, places / "code")
    monkeypatch.setenv(VARIABLE, str(places / "gone.toml"))
    with pytest.raises(UsageError, match=r"gone\.toml"):
        contract.locate(None, places / "code")


def test_home_directory_may_be_named_by_a_tilde(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths are read as a shell reads them."""
    monkeypatch.setenv("HOME", str(places))
    assert contract.locate("~/given.toml", places) == places / "given.toml"


def said_of(folder: Path, content: str | bytes) -> str:
    """Return what is said of a host file with this content."""
    path = folder / "host.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as caught:
        contract.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_every_problem_is_named(tmp_path: Path) -> None:
    """Wrong, missing and unknown keys are reported together, each by its name."""
    message = said_of(
        tmp_path,
        """
import_roots = []
tasks = ["pipeline.tasks", "pipeline.tasks:All"]
model = 3
modle_is_list = true
name_rules = [{ pattern = "x" }]
environment = { URL = 3 }
""",
    )
    for key in (
        "import_roots", "tasks.0", "run_dir", "model", "modle_is_list", "name_rules.0.replace",
        "environment.URL",
    ):  # fmt: skip
        assert f"{key}: " in message


@pytest.mark.parametrize(
    "content",
    ["run_dir = ", b"run_dir = '\xff'"],
    ids=["no TOML", "not UTF-8"],
)
def test_file_that_cannot_be_read_is_reported(tmp_path: Path, content: str | bytes) -> None:
    """The message names the file and the cause."""
    assert "cannot be read as a host file" in said_of(tmp_path, content)


@pytest.mark.parametrize(
    "line",
    [
        'name_rules = [{ pattern = "(", replace = "" }]',
        'name_rules = [{ pattern = "x", replace = "\\\\9" }]',
        'environment = { URL = "{gateway}" }',
        'environment = { URL = "{" }',
        'fixed = { tone = "{gateway_url}" }',
        'run_dir = ""',
    ],
)
def test_values_that_fail_later_are_refused_now(tmp_path: Path, line: str) -> None:
    """An unknown group or placeholder, or an empty name, is a problem of the file."""
    key = line.partition(" ")[0]
    good = "\n".join(one for one in GOOD.splitlines() if not one.startswith(key))
    assert f": {key}" in said_of(tmp_path, f"{good}\n{line}")


def test_directory_is_no_host_file(tmp_path: Path) -> None:
    """What cannot be opened is a wrong file, too."""
    with pytest.raises(UsageError, match="cannot be read"):
        contract.load(tmp_path)


def test_good_file_is_read(tmp_path: Path) -> None:
    """What is left out has its default."""
    path = tmp_path / "host.toml"
    path.write_text(GOOD)
    read = contract.load(path)
    assert read == Host(
        import_roots=("pipeline",), tasks=("pipeline.tasks:All",), run_dir="run_dir", model="models"
    )
    assert not read.model_is_list


def test_a_speed_is_one_of_the_hosts_words() -> None:
    """The first is the default; a host that lists none takes those of the embedded host."""
    slow_host = hosts.host(speeds=["quick", "slow"])
    assert (slow_host.speed(None), slow_host.speed("slow")) == ("quick", "slow")
    with pytest.raises(UsageError, match=r"no speed 'SLOW'. Use one of quick, slow"):
        slow_host.speed("SLOW")
    assert hosts.host().speeds == WORKER_PLAN.speeds


def test_digest_is_of_what_matters_to_a_cell(tmp_path: Path) -> None:
    """So runs stay comparable with those from before the host file said more of the host."""
    path = tmp_path / "host.toml"
    path.write_text(GOOD)
    before = contract.host_digest(path)
    assert before == file_digest(path)
    path.write_text(f'speeds = ["a"]\nplan_text = "x"\n{GOOD}')
    assert contract.host_digest(path) == before
    path.write_text(f"{GOOD}\nmodel_is_list = true\n")
    assert contract.host_digest(path) != before
    assert contract.host_digest(EMBEDDED).startswith("f8281b151372")


def test_embedded_host_ignores_instructions() -> None:
    """What is written for optimizers is not a prompt surface of the embedded pipeline."""
    assert WORKER_PLAN.surfaces.ignores("worker_plan.steps.plan_type:OPTIMIZE_INSTRUCTIONS")
    assert os.fspath(EMBEDDED).endswith("host/worker_plan.toml")
