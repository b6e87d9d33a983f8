"""What the optimizer may know about a host pipeline: its `host.toml`, and nothing else."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from self_improve.errors import UsageError

EMBEDDED = Path(__file__).with_name("worker_plan.toml")
FILE_NAME = "host.toml"
VARIABLE = "PLUMBLINE_HOST"

Dotted = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$")]
TaskPath = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]


def _may_use(*names: str) -> AfterValidator:
    """Return a check that the placeholders of a value are among `names`."""

    def check(value: str) -> str:
        try:
            value.format(**dict.fromkeys(names, ""))
        except (LookupError, ValueError, AttributeError) as error:
            known = " and ".join(f"{{{name}}}" for name in names)
            raise ValueError(f"only {known} can be filled in; double any other braces") from error
        return value

    return AfterValidator(check)


class NameRule(BaseModel):
    """A substitution that takes an artifact's name to the form all its generations share."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pattern: str
    replace: str

    @model_validator(mode="after")
    def _can_be_applied(self) -> Self:
        try:
            re.sub(self.pattern, self.replace, "")
        except re.error as error:
            raise ValueError(f"no substitution: {error}") from error
        return self


class SurfaceRules(BaseModel):
    """What settles ambiguities about prompt surfaces: ids (with wildcards) that are none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ignore: tuple[str, ...] = ()

    def ignores(self, surface_id: str) -> bool:
        """Whether `surface_id` was declared to be no prompt surface."""
        return any(fnmatchcase(surface_id, pattern) for pattern in self.ignore)


class Host(BaseModel):
    """The contract with a host pipeline.

    `import_roots` are its packages; `tasks` the Luigi tasks from which every step is found;
    `run_dir` and `model` the names of the parameters for a plan's directory and for the model.
    `fixed` sets further parameters, `environment` variables of the cell; a value may use
    `{speed}` and, in the environment, `{gateway_url}`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    import_roots: tuple[Dotted, ...] = Field(min_length=1)
    tasks: tuple[TaskPath, ...] = Field(min_length=1)
    run_dir: str = Field(min_length=1)
    model: str = Field(min_length=1)
    model_is_list: bool = False
    fixed: dict[str, Annotated[str, _may_use("speed")]] = Field(default_factory=dict)
    environment: dict[str, Annotated[str, _may_use("speed", "gateway_url")]] = Field(
        default_factory=dict
    )
    name_rules: tuple[NameRule, ...] = ()
    surfaces: SurfaceRules = SurfaceRules()

    @property
    def uses_gateway_url(self) -> bool:
        """Whether its code reaches models over HTTP rather than through a house socket."""
        return any("{gateway_url}" in value for value in self.environment.values())

    def common_name(self, name: str) -> str:
        """Return the form of an artifact's name that all its generations share."""
        for rule in self.name_rules:
            name = re.sub(rule.pattern, rule.replace, name)
        return name

    def among(self, wanted: str, names: Iterable[str]) -> str | None:
        """Return which of a plan's file `names` is the artifact `wanted`, or None.

        The very name wins; otherwise a name of another generation.

        Raises:
            UsageError: several names fit, and none is the very name.
        """
        listed = set(names)
        if wanted in listed:
            return wanted
        common = self.common_name(wanted)
        fitting = sorted(n for n in listed if self.common_name(n) == common)
        if len(fitting) > 1:
            raise UsageError(f"{wanted} could be any of {', '.join(fitting)}; keep one of them.")
        return fitting[0] if fitting else None

    def is_from(self, module: str) -> bool:
        """Whether a module of this name belongs to the host."""
        return any(module == root or module.startswith(root + ".") for root in self.import_roots)


def own_code() -> Path:
    """Return the code tree that this package lies in, with the embedded host beside it."""
    return Path(__file__).resolve().parents[2]


def locate(given: str | Path | None, code: Path) -> Path:
    """Return the `host.toml` to use: the one named, the environment's, the code's, the embedded.

    Raises:
        UsageError: a file was named that is not there.
    """
    named = given or os.environ.get(VARIABLE)
    if named:
        path = Path(named).expanduser().resolve()
        if not path.is_file():
            raise UsageError(f"There is no host file {path}.")
        return path
    own = code / FILE_NAME
    return own.resolve() if own.is_file() else EMBEDDED


def load(path: Path) -> Host:
    """Read a `host.toml`.

    Raises:
        UsageError: it cannot be read or is wrong; every problem is named.
    """
    try:
        return Host.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        told = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False)
        )
        raise UsageError(f"{path} is no valid host file: {told}") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a host file: {error}") from error
