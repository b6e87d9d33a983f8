"""A rubric that says something else has another version."""

from __future__ import annotations

from rubrics import load
from rubrics.rubric import Rubric
from self_improve.verdict import noise
from tools import rubric_versions
from tools.rubric_versions import digest, unraised


def rubric() -> Rubric:
    """Return one of the rubrics."""
    found = load.find("identify_potential_levers")
    assert found is not None
    return found


def test_every_rubric_is_what_its_version_says() -> None:
    """Else raise the version of those that differ, and run `python -m tools.rubric_versions`."""
    assert rubric_versions.current() == rubric_versions.recorded()


def test_a_change_needs_a_higher_version() -> None:
    """Of weights, scales and gates alike; the text that says why may be mended."""
    one = rubric()
    known = {one.step: [one.version, digest(one)]}
    assert unraised(one, known) is None
    assert unraised(one.model_copy(update={"why": "otherwise"}), known) is None
    changed = one.model_copy(update={"minimal_effect": 0.31})
    assert "raise version" in str(unraised(changed, known))
    assert unraised(changed.model_copy(update={"version": one.version + 1}), known) is None
    assert "is older" in str(unraised(changed.model_copy(update={"version": 0}), known))


def test_stored_noise_is_of_the_rubrics_version() -> None:
    """Noise is measured anew when the weights change, because that of the composite does."""
    stored = sorted(path.stem for path in (load.FOLDER / noise.FOLDER).glob("*.json"))
    assert stored
    for name in stored:
        found = load.find(name)
        assert found is not None
        assert noise.find(found, load.FOLDER).rubric_version == found.version
