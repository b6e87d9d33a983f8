"""What the optimizer may know about a host pipeline: its `host.toml`, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from model_gateway.foreign_files import cause_of, read_bytes, read_toml, resolved
from self_improve.errors import UsageError

EMBEDDED = Path(__file__).with_name("worker_plan.toml")
FILE_NAME = "host.toml"
VARIABLE = "PLUMBLINE_HOST"

_OUTSIDE_CELLS = re.compile(rb"^(?:speeds|plan_text|report|instructions) *=.*\n", re.MULTILINE)

Dotted = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
TaskPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


@cache
def _embedded() -> dict[str, Any]:
    """Return the keys of the embedded host; some apply to hosts that leave them out."""
    return tomllib.loads(EMBEDDED.read_text(encoding="utf-8"))


def _may_use(*names: str) -> AfterValidator:
    """Return a check that the placeholders of a value are among `names`."""

    def check(value: str) -> str:
        try:
            value.format(**dict.fromkeys(names, ""))
        except (LookupError, ValueError, AttributeError) as error:
            listed = " and ".join(f"{{{name}}}" for name in names)
            raise ValueError(f"only {listed} can be filled in; double any other braces") from error
        return value

    return AfterValidator(check)


class NameRule(BaseModel):
    """A substitution that turns an artifact's name into the form all its generations share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    replace: str

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        try:
            re.sub(self.pattern, self.replace, "")
        except re.error as error:
            raise ValueError(f"not a substitution: {error}") from error
        return self


class SurfaceRules(BaseModel):
    """Which texts are not prompt surfaces: their ids, with wildcards."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ignore: tuple[str, ...] = ()

    def ignores(self, surface_id: str) -> bool:
        """Whether the host declares that `surface_id` is not a prompt surface."""
        return any(fnmatchcase(surface_id, pattern) for pattern in self.ignore)


class Host(BaseModel):
    """The contract with a host pipeline.

    `import_roots` are its packages; `tasks` the Luigi tasks that lead to every step;
    `run_dir` and `model` the names of the parameters for a plan's directory and for the model.
    `speeds` are the words for `--speed`, the first by default; `plan_text` is the artifact that
    holds the plan in its author's words, `report` the one that people read; `instructions` is the
    constant of a step's module that is for optimizers only. `fixed` sets further parameters,
    `environment` variables of the cell; a value may use `{speed}` and, in the environment,
    `{gateway_url}`. `passes` names variables of the user's environment that the cell may see.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    import_roots: tuple[Dotted, ...] = Field(min_length=1)
    tasks: tuple[TaskPath, ...] = Field(min_length=1)
    run_dir: str = Field(min_length=1)
    model: str = Field(min_length=1)
    model_is_list: bool = False
    speeds: tuple[str, ...] = Field(
        default_factory=lambda: tuple(_embedded()["speeds"]), min_length=1
    )
    plan_text: str | None = None
    report: str = Field(default_factory=lambda: _embedded()["report"])
    instructions: str = Field(default_factory=lambda: _embedded()["instructions"])
    fixed: dict[str, Annotated[str, _may_use("speed")]] = Field(default_factory=dict)
    environment: dict[str, Annotated[str, _may_use("speed", "gateway_url")]] = Field(
        default_factory=dict
    )
    passes: tuple[str, ...] = ()
    name_rules: tuple[NameRule, ...] = ()
    surfaces: SurfaceRules = SurfaceRules()

    @property
    def uses_gateway_url(self) -> bool:
        """Whether its code reaches models over HTTP instead of through the gateway's socket."""
        return any("{gateway_url}" in value for value in self.environment.values())

    def speed(self, word: str | None) -> str:
        """Return the speed of `--speed WORD`, or the default for None.

        Raises:
            UsageError: the host has no such speed.
        """
        if word is not None and word not in self.speeds:
            raise UsageError(f"There is no speed {word!r}. Use one of {', '.join(self.speeds)}.")
        return word or self.speeds[0]

    def common_name(self, name: str) -> str:
        """Return the form of an artifact's name that all its generations share."""
        for rule in self.name_rules:
            name = re.sub(rule.pattern, rule.replace, name)
        return name

    def name_among(self, artifact: str, names: Iterable[str]) -> str | None:
        """Return which of a plan's file `names` is the `artifact`, or None.

        The exact name wins over a name of another generation.

        Raises:
            UsageError: several names fit, and none is exact.
        """
        listed = set(names)
        if artifact in listed:
            return artifact
        common = self.common_name(artifact)
        fitting = sorted(n for n in listed if self.common_name(n) == common)
        if len(fitting) > 1:
            raise UsageError(f"{artifact} could be any of {', '.join(fitting)}; keep one of them.")
        return fitting[0] if fitting else None

    def owns(self, module: str) -> bool:
        """Whether a module of this name belongs to the host."""
        return any(module == root or module.startswith(root + ".") for root in self.import_roots)


def own_code() -> Path:
    """Return the code tree that contains this package and the embedded host."""
    return Path(__file__).resolve().parents[2]


def locate(file: str | Path | None, code: Path) -> Path:
    """Return the `host.toml` to use: `file`, the environment's, the code's or the embedded one.

    Raises:
        UsageError: the file does not exist.
    """
    file = file or os.environ.get(VARIABLE)
    if file:
        path = resolved(file)
        if not path.is_file():
            raise UsageError(f"There is no host file {path}.")
        return path
    beside = code / FILE_NAME
    return beside.resolve() if beside.is_file() else EMBEDDED


def host_digest(path: Path) -> str:
    """Return the SHA-256 of a host file without the keys that do not affect a cell."""
    return hashlib.sha256(_OUTSIDE_CELLS.sub(b"", read_bytes(path))).hexdigest()


def load(path: Path) -> Host:
    """Read a `host.toml`.

    Raises:
        UsageError: it cannot be read or is wrong; all problems are named.
    """
    try:
        return Host.model_validate(read_toml(path))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
        )
        raise UsageError(f"{path} is not a valid host file: {problems}") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be read as a host file: {cause_of(error)}.") from error
