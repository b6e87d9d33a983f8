"""What makes two runs the same run."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prompt_lab.integrity import specification_digest
from self_improve.errors import UsageError
from self_improve.host.candidate import Candidate
from self_improve.runs.specification import PACKAGES, RunSpecification, choose_step
from tests.self_improve import hosts
from tests.self_improve.hosts import FOLLOW_UP, SYSTEM, TEXTS, shared

BASE = hosts.specification()


@pytest.mark.parametrize(
    "changes",
    [
        {"step": hosts.step(name="other")},
        {"host_digest": "h2"},
        {"code": hosts.code(digest="d2")},
        {"candidate": Candidate(texts={SYSTEM: "New."})},
        {"models": (hosts.model(name="other"),)},
        {"models": (hosts.model(model_id="other"),)},
        {"models": (hosts.model(arguments={"temperature": 0.5}),)},
        {"models": (hosts.model(options={"x": 1}),)},
        {"models": (hosts.model(structured="prompt"),)},
        {"models": (hosts.model(max_attempts=9),)},
        {"models": (hosts.model(max_output_tokens=9),)},
        {"models": (hosts.model(), hosts.model(name="fallback"))},
        {"speed": "PING_LLM"},
        {"seed": 2},
        {"repeats": 2},
        {"inputs": {"silo": hosts.inputs(digest="p2")}},
        {"inputs": {"port": hosts.inputs("port")}},
        {"inputs": {"silo": hosts.inputs(), "port": hosts.inputs("port")}},
    ],
    ids=str,
)
def test_every_part_makes_another_run(changes: dict[str, Any]) -> None:
    """Step, host, code, candidate, models, speed, seed, repeats and inputs."""
    assert hosts.specification(**changes).digest != BASE.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"code": hosts.code(root=Path("/another/place"))},
        {"code": hosts.code(commit=None, branch=None, dirty=True)},
        {"inputs": {"silo": hosts.inputs(folder="/another/place")}},
        {"models": (hosts.model(workers=9, price={"input": 1, "output": 2}),)},
        {"models": (hosts.model(key_env="ANOTHER_KEY"),)},
        {"models": (hosts.model(deadline_seconds=1, requests_per_minute=3),)},
        {"models": (hosts.model(aliases=("h",)),)},
    ],
    ids=str,
)
def test_what_the_machine_decides_makes_no_other_run(changes: dict[str, Any]) -> None:
    """Places, commits that name the same sources, prices, limits and names of keys."""
    assert hosts.specification(**changes).digest == BASE.digest


def test_the_digest_can_be_checked_by_what_meta_json_holds() -> None:
    """So that a changed intent is noticed; a new part of the identity must be checked, too."""
    meta = json.loads(json.dumps(BASE.meta(optimizer=hosts.code(), workers=1)))
    assert specification_digest(meta) == BASE.digest
    assert specification_digest({**meta, "seed": 2}) != BASE.digest
    other = hosts.specification(seed=2).meta(optimizer=hosts.code(), workers=1)
    same = specification_digest(meta, without="seed")
    assert specification_digest(json.loads(json.dumps(other)), without="seed") == same


def test_order_of_plans_makes_no_other_run() -> None:
    """A run is a set of cells."""
    plans = {name: hosts.inputs(name) for name in ("silo", "port")}
    one = hosts.specification(inputs=plans)
    other = hosts.specification(inputs=dict(reversed(plans.items())))
    assert one.digest == other.digest


def recorded(run: str) -> RunSpecification:
    """Return a specification on a recorded run in some directory."""
    model = hosts.model(provider="recorded", model_id="recorded/0/07_find", options={"run": run})
    return hosts.specification(models=(model,))


def test_recorded_run_is_the_same_wherever_it_lies() -> None:
    """It is known by its number and step."""
    assert recorded("/here/history/0/07_find").digest == recorded("/there/0/07_find").digest


def test_address_of_a_server_is_never_reported() -> None:
    """Another server may be another model, so it counts; where it is stays out of the record."""
    address = "http://gpu.example.org:8080/v1"
    there = hosts.specification(models=(hosts.model(base_url=address),))
    assert there.digest != BASE.digest
    meta = there.meta(optimizer=hosts.code(), workers=4)
    assert "gpu.example.org" not in json.dumps([there.identity, meta])


PLAN = st.sampled_from(["silo", "port", "船"])


@settings(deadline=None)
@given(PLAN, st.integers(0, 9), st.integers(0, 2**40))
def test_seed_of_a_cell_is_the_same_for_baseline_and_candidate(
    plan: str, repeat: int, seed: int
) -> None:
    """It depends on seed, plan, repeat and model, and on nothing that is compared."""
    baseline = hosts.specification(seed=seed)
    candidate = hosts.specification(
        seed=seed, candidate=Candidate(texts={SYSTEM: "New."}), code=hosts.code(digest="d2"),
        repeats=9, host_digest="h2",
    )  # fmt: skip
    one = baseline.cell_seed(plan, repeat)
    assert one == candidate.cell_seed(plan, repeat)
    assert 0 <= one < 2**32


def test_cells_have_seeds_of_their_own() -> None:
    """Plans, repeats, models and seeds of the command tell them apart."""
    seeds = [
        hosts.specification(seed=seed, models=(hosts.model(name=name),)).cell_seed(plan, repeat)
        for seed in range(3)
        for name in ("haiku", "llama")
        for plan in ("silo", "port")
        for repeat in range(5)
    ]
    assert len(set(seeds)) == len(seeds)


def meta(**changes: Any) -> dict[str, Any]:
    """Return the content of `meta.json`, as it is read again."""
    specification = hosts.specification(**changes)
    facts: dict[str, Any] = json.loads(
        json.dumps(specification.meta(optimizer=hosts.code(digest="own"), workers=4))
    )
    return facts


def test_intent_tells_all_that_evidence_needs() -> None:
    """Code, optimizer, candidate, models, inputs, surfaces, seed, repeats and packages."""
    facts = meta(
        candidate=Candidate(texts={SYSTEM: "New."}),
        models=(hosts.model(arguments={"temperature": 1}), hosts.model(name="llama")),
    )
    assert facts["code"] == {"commit": "c0ffee", "branch": "main", "dirty": False, "digest": "d1"}
    assert facts["optimizer"]["digest"] == "own"
    assert facts["candidate"]["surfaces"] == [SYSTEM]
    assert facts["model"]["primary"] == "haiku"
    assert facts["model"]["fallbacks"] == ["llama"]
    assert (facts["model"]["id"], facts["model"]["provider"]) == ("claude-haiku-4-5", "anthropic")
    assert facts["models"][0]["arguments"] == {"temperature": 1}
    assert facts["inputs"] == {"silo": {"001-2-plan.txt": "p1"}}
    assert (facts["speed"], facts["seed"], facts["repeats"]) == ("ALL_DETAILS_BUT_SLOW", 1, 1)
    assert set(facts["packages"]) == set(PACKAGES)
    assert set(facts["surfaces"]) == set(hosts.step().surfaces)


def test_intent_tells_no_place() -> None:
    """Nothing of it depends on where things lie on this machine."""
    assert "/somewhere" not in json.dumps(meta())


def test_system_prompt_has_its_digest_in_the_recorded_place() -> None:
    """It is that of the text which will be sent, the candidate's if there is one."""
    [baseline] = {one.digest for one in BASE.surfaces() if one.id == SYSTEM}
    assert meta()["system_prompt_sha256"] == baseline
    new = meta(candidate=Candidate(texts={SYSTEM: "New."}))
    assert new["system_prompt_sha256"] == new["surfaces"][SYSTEM] != baseline
    assert meta(step=hosts.step(surfaces=(FOLLOW_UP,)))["system_prompt_sha256"] is None


def test_surfaces_are_those_of_the_candidate() -> None:
    """Texts that it does not name stay as the code has them."""
    surfaces = hosts.specification(candidate=Candidate(texts={SYSTEM: "New."})).surfaces()
    texts = {one.id: one.text for one in surfaces}
    assert texts[SYSTEM] == "New."
    assert texts[FOLLOW_UP] == TEXTS[FOLLOW_UP]


def test_recorded_keys_come_first() -> None:
    """Readers of older records find what they know, in its place."""
    with tarfile.open(shared("recorded", "history.tar.xz")) as archive:
        member = next(one for one in archive if one.name.endswith("/meta.json"))
        file = archive.extractfile(member)
        assert file is not None
        old = json.load(file)
    new = meta()
    assert set(old) <= set(list(new)[:5])
    assert set(old["model"]) <= set(new["model"])
    assert {"os", "arch", "cpu_count"} <= set(old["system"]) & set(new["system"])


def test_step_is_chosen_by_its_name() -> None:
    """A name that is near is suggested; one that is far is not."""
    steps = ["identify_purpose", "identify_potential_levers", "setup"]
    assert choose_step("setup", steps) == "setup"
    with pytest.raises(UsageError, match="Did you mean identify_potential_levers"):
        choose_step("identify_potential_lever", steps)
    with pytest.raises(UsageError) as caught:
        choose_step("zzz", steps)
    assert (
        str(caught.value)
        == "There is no step 'zzz'. `python -m self_improve.steps` lists them all."
    )
