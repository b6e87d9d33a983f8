"""Entries are read from files, overridden by later ones, and every mistake is named at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_gateway import entry_files
from model_gateway.config import CONFIG_DIR_VARIABLE, EMBEDDED, Catalogue, Model, entry
from model_gateway.entry_files import load
from model_gateway.errors import ConfigError

SECRET = "sk-live-0123456789abcdef"
PLAIN = 'provider = "openai"\nmodel_id = "m-1"\n'

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file below the test's directory and returns its directory."""

    def put(name: str, text: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path.parent

    return put


def problems_of(*dirs: Path) -> list[str]:
    """Return the lines of the error that reading `dirs` ends in."""
    with pytest.raises(ConfigError) as caught:
        load(dirs)
    return str(caught.value).splitlines()


def a_model(name: str, **changes: Any) -> Model:
    """Return an entry that needs no file."""
    return entry({"name": name, "provider": "openai", "model_id": f"{name}-1", **changes})


def test_embedded_entries_are_good() -> None:
    """What ships with the package is read without a problem, and has no default list."""
    catalogue = load([EMBEDDED])
    assert catalogue.find("sim").is_simulated
    assert catalogue.default == ()


def test_every_problem_is_named_with_its_file(write: Write) -> None:
    """Wrong, torn, unreadable and colliding files are all reported in one error."""
    write("a_torn.toml", 'name = "torn')
    write("b_wrong.toml", 'name = "b b"\nmood = 1\nworkers = 0\nstructured = "sometimes"\n' + PLAIN)
    write("c_empty.toml", "")
    write("d_good.toml", 'name = "good"\naliases = ["g"]\n' + PLAIN)
    write("e_double.toml", 'name = "g"\naliases = ["e", "e", "good"]\n' + PLAIN)
    folder = write("g_default.toml", 'default_models = ["good"]\nmood = 1\n')
    (folder / "f_folder.toml").mkdir()
    (folder / "h_latin.toml").write_bytes(b'name = "caf\xe9"\n')
    (folder / "notes.txt").write_text("no entry")
    head, *lines = problems_of(folder)
    assert head == "The model configuration cannot be used:"
    problems = {
        "a_torn": 1, "b_wrong": 1, "c_empty": 1, "d_good": 0, "e_double": 3, "f_folder": 1,
        "g_default": 1, "h_latin": 1,
    }  # fmt: skip
    by_file = {name: [line for line in lines if f"/{name}.toml: " in line] for name in problems}
    assert {name: len(own_lines) for name, own_lines in by_file.items()} == problems
    assert len(lines) == sum(problems.values())
    for field in ("name:", "mood: Extra inputs", "workers:", "structured:"):
        assert field in by_file["b_wrong"][0]
    assert "name: Field required; provider: Field required" in by_file["c_empty"][0]
    assert f"the name 'g' is already used in {folder / 'd_good.toml'}" in by_file["e_double"][0]


@pytest.mark.parametrize(
    "line",
    [
        f'key = "{SECRET}"',
        f'key_env = "{SECRET}"',
        f'base_url_env = "{SECRET}"',
        f'structured = "{SECRET}"',
        f'workers = "{SECRET}"',
        f'price = "{SECRET}"',
        f"key_env = {SECRET}",
        f'key_env = "{SECRET}',
        f'aliases = ["{SECRET} "]',
    ],
)
def test_key_written_into_a_file_is_never_shown(write: Write, line: str) -> None:
    """Whatever a user does with a key, the error names the field and not the value."""
    problems = problems_of(write("m.toml", f'name = "m"\n{line}\n{PLAIN}'))
    assert SECRET not in "\n".join(problems)
    assert len(problems) == 2


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"arguments": {"stop": [float("nan")]}}, "arguments"),
        ({"price": {"input": float("inf"), "output": 0}}, "price.input"),
        ({"price": {"input": -1, "output": 0}}, "price.input"),
        ({"price": {"input": 1}}, "price.output"),
        ({"requests_per_minute": float("inf")}, "requests_per_minute"),
        ({"deadline_seconds": 0}, "deadline_seconds"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"model_id": ""}, "model_id"),
        ({"provider": "../x"}, "provider"),
        ({"name": "-m"}, "name"),
    ],
)
def test_values_that_nothing_can_be_done_with_are_refused(
    values: dict[str, Any], field: str
) -> None:
    """Numbers without an end or below their least, and names nobody can type, are named."""
    with pytest.raises(ConfigError, match=field):
        a_model("m", **values) if "name" not in values else entry({**values, "provider": "p"})


def test_date_in_the_arguments_is_refused(write: Write) -> None:
    """TOML knows dates and JSON does not, so one could not be sent."""
    text = 'name = "m"\n' + PLAIN + "[arguments]\nuntil = 2030-01-01\n"
    [_, problem] = problems_of(write("m.toml", text))
    assert "arguments.until" in problem


def test_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    """A file that an editor began with a mark is read like any other."""
    (tmp_path / "m.toml").write_text('name = "m"\n' + PLAIN, encoding="utf-8-sig")
    assert load([tmp_path]).find("m").model_id == "m-1"


def test_later_directory_overrides_by_name(write: Write) -> None:
    """An entry of the same name replaces the earlier one, aliases and all."""
    old = write("1/m.toml", 'name = "m"\naliases = ["old"]\n' + PLAIN)
    new = write("2/other.toml", 'name = "m"\naliases = ["new"]\n' + PLAIN.replace("m-1", "m-2"))
    catalogue = load([old, new])
    assert catalogue.find("m") == catalogue.find("new")
    assert catalogue.find("m").model_id == "m-2"
    assert len(catalogue.models) == 1
    with pytest.raises(ConfigError, match="no model 'old'"):
        catalogue.find("old")


@pytest.mark.parametrize("overriding", ["first", "second", "third"])
def test_alias_of_what_was_read_last_wins(write: Write, overriding: str) -> None:
    """An entry that takes over an embedded alias gets it, also if it overrides another entry."""
    write("1/a.toml", 'name = "first"\n' + PLAIN)
    old = write("1/b.toml", 'name = "second"\naliases = ["short"]\n' + PLAIN)
    new = write("2/c.toml", f'name = "{overriding}"\naliases = ["short"]\n' + PLAIN)
    assert load([old, new]).find("short").name == overriding


def test_same_names_in_two_directories_are_no_collision(write: Write) -> None:
    """Only inside one directory is a name that is used twice a mistake."""
    dirs = [write(f"{n}/m.toml", 'name = "m"\naliases = ["a"]\n' + PLAIN) for n in (1, 2)]
    assert load(dirs).find("a").name == "m"


def test_last_default_list_counts(write: Write) -> None:
    """Without a wish the list of the last directory is used, each model once."""
    one = write("1/default.toml", 'default_models = ["a"]\n')
    write("2/b.toml", 'name = "b"\naliases = ["bee"]\n' + PLAIN)
    write("2/c.toml", 'name = "c"\n' + PLAIN)
    two = write("2/default.toml", 'default_models = ["c", "b", "bee"]\n')
    catalogue = load([one, two])
    assert [m.name for m in catalogue.choose([])] == ["c", "b"]
    assert [m.name for m in catalogue.choose(["bee"])] == ["b"]


def test_no_wish_and_no_default_lists_what_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the models whose key is there, and how one is chosen."""
    monkeypatch.setenv("THIS_KEY", SECRET)
    monkeypatch.delenv("THAT_KEY", raising=False)
    catalogue = Catalogue(
        models=(
            a_model("free", aliases=["f"]),
            a_model("this", key_env="THIS_KEY"),
            a_model("that", key_env="THAT_KEY"),
        )
    )
    with pytest.raises(ConfigError) as caught:
        catalogue.choose([])
    message = str(caught.value)
    assert "free (f), this. Pass --model NAME, or put" in message
    assert "that" not in message
    assert SECRET not in message


def test_unknown_models_are_all_named_with_the_nearest() -> None:
    """Each wrong name is reported with the likely correct one."""
    catalogue = Catalogue(models=(a_model("gpt-oss"), a_model("haiku", aliases=["claude"])))
    with pytest.raises(ConfigError) as caught:
        catalogue.choose(["gpt-os", "haiku", "cloude", "zzz"])
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert "no model 'gpt-os'. Did you mean gpt-oss?" in lines[0]
    assert "Did you mean claude?" in lines[1]
    assert "Did you mean" not in lines[2]


def test_directories_come_in_the_order_in_which_they_override(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the embedded entries, then those of the working directory, then the named ones."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, f"{one}{os.pathsep}{two}")
    assert entry_files.config_dirs() == [EMBEDDED, Path("llm_config"), one, two]
    monkeypatch.delenv(CONFIG_DIR_VARIABLE)
    assert entry_files.config_dirs() == [EMBEDDED, Path("llm_config")]


def test_named_directory_that_is_not_there_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake in the variable is reported, or its models would seem not to exist."""
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, f"{tmp_path}{os.pathsep}{tmp_path / 'gone'}")
    with pytest.raises(ConfigError, match=r"PLUMBLINE_LLM_CONFIG names \S+gone, which is not"):
        load()


def test_directory_that_nobody_named_may_be_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most users have no llm_config of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(CONFIG_DIR_VARIABLE, raising=False)
    assert load().find("sim").is_simulated


def a_run(root: Path) -> Path:
    """Return the directory of a recorded run."""
    root.mkdir(parents=True)
    (root / "meta.json").write_text("{}")
    return root


def test_recorded_run_is_a_model_of_its_own(tmp_path: Path) -> None:
    """Runs are found by their path, cost nothing, get one attempt, and have distinct names."""
    runs = [a_run(tmp_path / "history/0" / name) for name in ("07_a step", "08_b")]
    one, two = Catalogue(models=()).choose([f"recorded:{run}" for run in runs])
    assert (one.provider, one.options) == ("recorded", {"run": str(runs[0])})
    assert (one.name, one.model_id) == ("recorded-0-07_a-step", "recorded/0/07_a step")
    assert (one.cost(10, 10), one.max_attempts) == (0, 1)
    assert two.name == "recorded-0-08_b"


def test_recorded_run_is_found_below_home_and_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path may start at the home directory or in the working directory."""
    run = a_run(tmp_path / "runs/01_x")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    models = [Catalogue(models=()).find(f"recorded:{p}") for p in ("~/runs/01_x", "runs/01_x")]
    assert [model.options for model in models] == [{"run": str(run)}] * 2


@pytest.mark.parametrize("path", ["", "gone", "plan.txt"])
def test_path_that_is_no_run_is_refused(
    tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A missing run, a file and nothing at all are refused, with an example of what is meant."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plan.txt").write_text("no run")
    with pytest.raises(ConfigError, match=r"does not name a run: .* Give the directory of one run"):
        Catalogue(models=()).find(f"recorded:{path}")


def test_two_models_of_one_name_cannot_be_asked_for_together(tmp_path: Path) -> None:
    """Runs that only differ in their data repo would be mixed up, so that is refused."""
    runs = [a_run(tmp_path / lab / "0/07_step") for lab in ("a", "b")]
    with pytest.raises(ConfigError, match="Two models are called recorded-0-07_step"):
        Catalogue(models=()).choose([f"recorded:{run}" for run in runs])


def test_missing_key_is_reported_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model says which variable has to be set; an empty one counts as not set."""
    model = a_model("m", key_env="THIS_KEY")
    monkeypatch.setenv("THIS_KEY", "")
    assert model.missing() == "the environment variable THIS_KEY is not set"
    monkeypatch.setenv("THIS_KEY", SECRET)
    assert (model.missing(), model.key) == (None, SECRET)
    assert SECRET not in repr(model)
    assert a_model("free").missing() is None


def test_cost_is_per_million_tokens() -> None:
    """A model without a price has no cost rather than none to pay."""
    priced = a_model("m", price={"input": 1.5, "output": 4})
    assert priced.cost(2_000_000, 500_000) == 5
    assert a_model("free").cost(1, 1) is None


@pytest.mark.parametrize(
    ("bound", "thinking", "asked", "sent"),
    [(None, 0, 9, 9), (5, 0, 9, 5), (50, 0, 9, 9), (5, 100, 9, 105), (None, 100, 9, 109)],
)
def test_bound_on_a_reply_leaves_room_for_thinking(
    bound: int | None, thinking: int, asked: int, sent: int
) -> None:
    """The entry's bound caps what a step asks for; thinking comes on top."""
    model = a_model("m", max_output_tokens=bound, thinking_tokens=thinking)
    assert model.output_bound(asked) == sent
