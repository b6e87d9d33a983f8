"""A rubric that says something else has another version."""

from __future__ import annotations

from rubrics import load
from rubrics.rubric import Rubric
from self_improve.verdict import noise
from tools import rubric_versions
from tools.rubric_versions import digest, unraised


def rubric() -> Rubric:
    """Return one of the rubrics."""
    of_step = load.find("identify_potential_levers")
    assert of_step is not None
    return of_step


def test_every_rubric_is_what_its_version_says() -> None:
    """Else raise the version of those that differ, and run `python -m tools.rubric_versions`."""
    assert rubric_versions.current() == rubric_versions.recorded()


def test_a_change_needs_a_higher_version() -> None:
    """Of weights, scales and gates alike; the text that says why may be mended."""
    one = rubric()
    versions = {one.step: [one.version, digest(one)]}
    assert unraised(one, versions) is None
    assert unraised(one.model_copy(update={"why": "otherwise"}), versions) is None
    changed = one.model_copy(update={"minimal_effect": 0.31})
    assert "raise version" in str(unraised(changed, versions))
    assert unraised(changed.model_copy(update={"version": one.version + 1}), versions) is None
    assert "is older" in str(unraised(changed.model_copy(update={"version": 0}), versions))


def test_stored_noise_is_of_the_rubrics_version() -> None:
    """Noise is measured again when the weights change, because that of the composite does."""
    stored = sorted(path.stem for path in (load.FOLDER / noise.FOLDER).glob("*.json"))
    assert stored
    for name in stored:
        of_step = load.find(name)
        assert of_step is not None
        assert noise.find(of_step, load.FOLDER).rubric_version == of_step.version
