"""Reads the entries of all models from the directories `llm_config/`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model_gateway import validation
from model_gateway.config import CONFIG_DIR_VARIABLE, EMBEDDED, Catalogue, Model
from model_gateway.errors import ConfigError
from model_gateway.foreign_files import cause_of, expanded, read_toml


class _Defaults(BaseModel):
    model_config = ConfigDict(extra="forbid")

    default_models: list[str]


def config_dirs() -> list[Path]:
    """Return the directories that hold entries, later ones overriding earlier ones by name.

    They are the embedded ones, then `llm_config/` in the working directory, then those listed
    in the environment variable PLUMBLINE_LLM_CONFIG.

    Raises:
        ConfigError: the variable names a directory that does not exist.
    """
    value = os.environ.get(CONFIG_DIR_VARIABLE, "")
    listed = [expanded(part) for part in value.split(os.pathsep) if part]
    missing = [str(path) for path in listed if not path.is_dir()]
    if missing:
        raise ConfigError(
            f"{CONFIG_DIR_VARIABLE} names {', '.join(missing)}, which is not a directory. Correct "
            "it, or unset it."
        )
    return [EMBEDDED, Path("llm_config"), *listed]


def load(dirs: Iterable[Path] | None = None) -> Catalogue:
    """Read every entry of `dirs` (by default `config_dirs()`).

    Raises:
        ConfigError: one or more files are wrong; the message lists every problem with its file.
    """
    entries: dict[str, Model] = {}
    default: tuple[str, ...] = ()
    problems: list[str] = []
    for directory in config_dirs() if dirs is None else dirs:
        seen: dict[str, Path] = {}
        for path in sorted(directory.glob("*.toml")):
            try:
                values = read_toml(path)
                if "default_models" in values:
                    default = tuple(_Defaults.model_validate(values).default_models)
                    continue
                model = Model.model_validate(values)
            except ValidationError as error:
                problems.append(f"{path}: {validation.summary(error)}")
                continue
            except OSError as error:
                problems.append(f"{path}: {cause_of(error)}")
                continue
            for name in (model.name, *model.aliases):
                if name in seen:
                    problems.append(f"{path}: the name {name!r} is already used in {seen[name]}")
                seen[name] = path
            entries.pop(model.name, None)  # an overriding entry counts as read last
            entries[model.name] = model
    if problems:
        raise ConfigError("The model configuration cannot be used:\n" + "\n".join(problems))
    # The last one read comes first, so that its aliases win over an embedded entry's.
    return Catalogue(models=tuple(reversed(entries.values())), default=default)
