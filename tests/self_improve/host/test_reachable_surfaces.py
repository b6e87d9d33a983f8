"""What a step's code leads to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from self_improve.host import reachable_surfaces, surfaces, task_graph
from self_improve.host.contract import EMBEDDED, load
from tests.self_improve.hosts import Loaded, loaded

PROMPTS = """
DIRECT = "Sent by the step itself."
BY_FUNCTION = "Sent by a function it calls."
BY_MODULE = "Sent by way of the module's name."
BY_CLASS = "Sent by a method of a class it makes."
BY_TABLE = "Sent from a table of prompts."
BY_BASE = "Sent by a method it inherits."
BY_INNER = "Sent by a function inside a function."
BY_STATIC = "Sent by a static method."
BY_PROPERTY = "Sent by a property."
BY_WRAPPED = "Sent by a decorated function."
BY_DEFAULT = "Sent as a parameter's default."
BY_OTHER = "Sent by another step."
BY_NOBODY = "Sent by nobody at all."
BY_LATE = "Sent by a module imported late."
TABLE = {"a": [BY_TABLE]}
"""

TEXTS = """
import functools

from HOST import prompts
from HOST.prompts import BY_CLASS, BY_DEFAULT, BY_FUNCTION, BY_INNER, BY_WRAPPED


def composed():
    def inner():
        return BY_INNER
    return BY_FUNCTION + inner() + (lambda: prompts.BY_MODULE)()


def decorated(function):
    @functools.wraps(function)
    def wrapper():
        return function()
    return wrapper


@decorated
def wrapped():
    return BY_WRAPPED


def asked(text=BY_DEFAULT):
    return text


class Composer:
    def compose(self):
        return BY_CLASS


def again():
    return composed() if again else again()
"""

LATE = """
from HOST.prompts import BY_LATE


def late():
    return BY_LATE
"""

MODELS = """
from pydantic import BaseModel, Field


class Base(BaseModel):
    name: str = Field(description="A name.")


class Part(Base):
    size: int = Field(description="A size.")


class Answer(BaseModel):
    parts: list[Part] | None = Field(description="Parts.")


class Unused(BaseModel):
    name: str = Field(description="Unused.")
"""

TASKS = """
import luigi

from HOST import prompts
from HOST.models import Answer
from HOST.prompts import BY_BASE, BY_OTHER, BY_PROPERTY, BY_STATIC, DIRECT, TABLE
from HOST.texts import Composer, again, asked, composed, wrapped


class Base(luigi.Task):
    def common(self):
        return BY_BASE


class Other(Base):
    def run(self):
        return BY_OTHER


class Silent(Base):
    def requires(self):
        return Other()

    def run(self):
        return len("x")


class Sending(Base):
    def requires(self):
        return Other()

    @staticmethod
    def fixed():
        return BY_STATIC

    @property
    def report(self):
        return BY_PROPERTY

    def run(self):
        self.common(), DIRECT, composed(), wrapped(), asked(), again(), TABLE
        return Composer().compose()


class Answering(Base):
    def run(self):
        return Answer


class Late(Base):
    def run(self):
        from HOST.late import late
        return late()


class WithGateway(Base):
    def run(self):
        from model_gateway import call
        return call


class WithClient(Base):
    def run(self):
        return client()


class WithAnnotation(Base):
    def run(self) -> "openai":
        return None


def client():
    import httpx
    return httpx.post
"""

ALL_BY = {
    "BY_FUNCTION", "BY_MODULE", "BY_CLASS", "BY_TABLE", "BY_BASE", "BY_INNER", "BY_STATIC",
    "BY_PROPERTY", "BY_WRAPPED", "BY_DEFAULT",
}  # fmt: skip


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """Return a host whose steps reach their prompts in every way."""
    files = {"prompts": PROMPTS, "texts": TEXTS, "late": LATE, "models": MODELS, "tasks": TASKS}
    with loaded(tmp_path_factory.mktemp("reach"), files) as package:
        yield package


def reached(package: Loaded, step: str) -> tuple[set[str], bool]:
    """Return the names of the surfaces that a step reaches, and whether it calls a model."""
    host = package.host()
    by_id = reachable_surfaces.from_step(vars(package["tasks"])[step], host, surfaces.find(host))
    return {one.partition(":")[2] for one in by_id.surfaces}, by_id.calls_model


def test_every_way_to_a_prompt_is_followed(package: Loaded) -> None:
    """By name, function, module, class, table, base, closure, property, decorator, default."""
    assert reached(package, "Sending") == ({"DIRECT", *ALL_BY}, False)


def test_other_steps_are_not_followed(package: Loaded) -> None:
    """What a required step sends is its own affair; a step that sends nothing reaches nothing."""
    assert reached(package, "Silent") == (set(), False)
    assert reached(package, "Other") == ({"BY_OTHER"}, False)


def test_models_bring_their_descriptions(package: Loaded) -> None:
    """Those of nested models and of inherited fields, too."""
    assert reached(package, "Answering")[0] == {"Answer.parts", "Part.size", "Base.name"}


def test_imports_inside_a_function_are_followed(package: Loaded) -> None:
    """A module that a step imports when it runs counts if it is loaded."""
    assert reached(package, "Late") == ({"BY_LATE"}, False)


@pytest.mark.parametrize(
    ("step", "calls"),
    [("WithGateway", True), ("WithClient", True), ("WithAnnotation", False), ("Sending", False)],
)
def test_model_client_is_noticed(package: Loaded, step: str, *, calls: bool) -> None:
    """A gateway or an HTTP client that the code mentions, not a word in an annotation."""
    __import__("httpx")
    assert reached(package, step)[1] is calls


def test_steps_of_the_embedded_host_reach_their_own_prompts() -> None:
    """Every model-calling step reaches all prompts of its file and no other's."""
    host = load(EMBEDDED)
    tasks = task_graph.roots(host, run_dir="/nowhere/plan", model="m", speed="PING_LLM")
    steps = task_graph.walk(tasks)
    by_id = surfaces.find(host)
    for name, step in steps.items():
        module = type(step.task).__module__
        surface_ids = {s for s in by_id if s.startswith(f"{module}:") and s.endswith("_PROMPT")}
        reaches = reachable_surfaces.from_step(type(step.task), host, by_id)
        assert {s for s in reaches.surfaces if s.endswith("_PROMPT")} == surface_ids, name
        assert reaches.calls_model is bool(surface_ids), name
