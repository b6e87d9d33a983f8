"""The models, their prices and how they may be called, read from `llm_config/`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    model_validator,
)

from model_gateway import validation
from model_gateway.errors import ConfigError
from model_gateway.foreign_files import resolved
from model_gateway.invocation import typed
from model_gateway.keys import Redactor, secrets_in
from model_gateway.serving.plan import PORT
from model_gateway.serving.settings import Serve
from model_gateway.suggestions import did_you_mean

EMBEDDED = Path(__file__).parent / "llm_config"
CONFIG_DIR_VARIABLE = "PLUMBLINE_LLM_CONFIG"
RECORDED_PREFIX = "recorded:"

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
# Capitals only: this refuses a key put here by mistake, and no message repeats it.
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$")]

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class Price(BaseModel):
    """US dollars per million tokens. Thinking tokens are billed as output.

    Tokens that a server read from a cache of prompts (`cached_input`), or wrote to one
    (`cache_write`), cost as much as other input where the entry does not say otherwise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    input: float = Field(ge=0)
    output: float = Field(ge=0)
    cached_input: float | None = Field(default=None, ge=0)
    cache_write: float | None = Field(default=None, ge=0)

    def of(self, read: int, written: int, *, from_cache: int = 0, to_cache: int = 0) -> float:
        """Return the US dollars for `read` and `written` tokens.

        Of those read, some came from the server's cache or went to it.
        """
        cached_input = self.input if self.cached_input is None else self.cached_input
        cache_write = self.input if self.cache_write is None else self.cache_write
        plain = max(0, read - from_cache - to_cache)
        of_input = plain * self.input + from_cache * cached_input + to_cache * cache_write
        return (of_input + written * self.output) / 1e6

    def most(self, read: int, written: int) -> float:
        """Return the US dollars for these tokens, whatever the server's cache does."""
        dearest = max(self.input, self.cached_input or 0.0, self.cache_write or 0.0)
        return (read * dearest + written * self.output) / 1e6


class Model(BaseModel):
    """One entry of `llm_config/`: a model under the name users type.

    `max_attempts` bounds the requests for one call of a cell, transport and validation retries
    together. `attempt_seconds` bounds one exchange, `deadline_seconds` all of a call.
    `structured` says how the server takes a schema: natively, or as text in the prompt.
    `context_tokens` is the size of the model's context, prompt and reply together.
    `max_output_tokens` bounds what a step may ask for; `thinking_tokens` is added to that for
    models that think before they answer. `serve` says how a server of its own is started; it is
    not where `base_url_env` names another one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Name
    aliases: tuple[Name, ...] = ()
    provider: Identifier
    model_id: str = Field(min_length=1)
    class_path: str | None = None
    base_url: str | None = None
    base_url_env: Variable | None = None
    key_env: Variable | None = None
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    options: dict[str, Any] = Field(default_factory=dict)
    structured: Literal["json_schema", "prompt"] = "json_schema"
    sends_seed: bool = False
    context_tokens: int | None = Field(default=None, gt=0)
    max_output_tokens: int | None = Field(default=None, gt=0)
    thinking_tokens: int = Field(default=0, ge=0)
    workers: int = Field(default=4, gt=0)
    local: bool = False
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    price: Price | None = None
    max_attempts: int = Field(default=4, gt=0)
    attempt_seconds: float = Field(default=120, gt=0)
    deadline_seconds: float = Field(default=300, gt=0)
    serve: Serve | None = None

    @model_validator(mode="after")
    def _address_of_what_is_served(self) -> Self:
        fixed = str(self.serve.port) if self.serve and self.serve.port else PORT
        if self.serve and PORT not in (self.base_url or "") and fixed not in (self.base_url or ""):
            raise ValueError(f"an entry with [serve] needs {PORT} in its base_url")
        return self

    def cost(self, input_tokens: int, output_tokens: int) -> float | None:
        """Return the price of these tokens in US dollars, or None if the model has no price."""
        return None if self.price is None else self.price.of(input_tokens, output_tokens)

    @property
    def context(self) -> int | None:
        """The size of the model's context in tokens, where the entry states it."""
        stated = self.options.get("num_ctx")
        return self.context_tokens or (stated if isinstance(stated, int) else None)

    @property
    def reply_options(self) -> dict[str, Any]:
        """The options that shape a reply; the folder of a recorded run is not one of them."""
        return {} if self.provider == "recorded" else self.options

    @property
    def is_served(self) -> bool:
        """Whether its server is one that is started here."""
        elsewhere = self.base_url_env and os.environ.get(self.base_url_env)
        return self.serve is not None and not elsewhere

    @property
    def server(self) -> str:
        """The server's address, or nothing for the provider's own."""
        url = os.environ.get(self.base_url_env) if self.base_url_env else None
        return (url or self.base_url or "").strip()

    @property
    def folds_system(self) -> bool:
        """Whether the system message goes into the user's first, for servers without that role."""
        return self.options.get("fold_system") is True

    @property
    def server_parts(self) -> tuple[Any, ...]:
        """What replies depend on: the server's address, and how it is started if it is here."""
        if self.serve is None or not self.is_served:
            return (self.server,)
        return (self.server, self.serve.command, self.serve.model, self.serve.variables)

    def output_bound(self, asked: int) -> int:
        """Return how many tokens a reply may have when a step asked for at most `asked`."""
        shown = asked if self.max_output_tokens is None else min(asked, self.max_output_tokens)
        return shown + self.thinking_tokens

    @property
    def is_embedded(self) -> bool:
        """Whether it is part of this program, without a server."""
        return self.provider in {"simulated", "recorded"}

    @property
    def is_simulated(self) -> bool:
        """Whether this is the embedded simulation, whose results are never evidence."""
        return self.provider == "simulated"

    @property
    def key(self) -> str | None:
        """The key, read from the environment on each access and not stored."""
        return os.environ.get(self.key_env) if self.key_env else None

    def secrets(self) -> Iterator[tuple[str, str]]:
        """Yield the keys that the entry itself holds, each with the name of its setting."""
        server = self.server if "://" in self.server else f"https://{self.server}"
        settings = {"options": self.options, "arguments": self.arguments, "base_url": server}
        return ((f"{self.name}: {setting}", secret) for setting, secret in secrets_in(settings))

    def redactor(self) -> Redactor:
        """Return what removes this entry's keys, and those of the environment, from texts."""
        return Redactor([self.key_env] if self.key_env else [], settings=self.secrets())

    def missing(self) -> str | None:
        """Return what the user has to set before this model can be used, or None."""
        if self.key_env and not os.environ.get(self.key_env):
            return f"the environment variable {self.key_env} is not set"
        return self.serve.missing() if self.serve and self.is_served else None


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """All models by name, and the list that is used when none is named."""

    models: tuple[Model, ...]
    default: tuple[str, ...] = ()

    @cached_property
    def _by_name(self) -> dict[str, Model]:
        names: dict[str, Model] = {}
        for model in self.models:
            for name in (model.name, *model.aliases):
                names.setdefault(name, model)
        return names

    @property
    def key_variables(self) -> tuple[str, ...]:
        """The names of all environment variables that hold keys."""
        return tuple(sorted({m.key_env for m in self.models if m.key_env}))

    def redactor(self, *names: str) -> Redactor:
        """Return what removes the keys of all entries, and of the variables `names`, from texts."""
        settings = chain.from_iterable(model.secrets() for model in self.models)
        return Redactor((*self.key_variables, *names), settings=settings)

    def find(self, name: str) -> Model:
        """Return the model called `name`, or an entry that replays the run of `recorded:RUN`.

        Raises:
            ConfigError: no such model; the message names the nearest ones.
        """
        if name.startswith(RECORDED_PREFIX):
            return _recorded(name)
        model = self._by_name.get(name)
        if model is None:
            hint = did_you_mean(name, self._by_name)
            raise ConfigError(
                f"There is no model {name!r}.{hint} `{typed('models list')}` lists all; "
                f"a file in ./llm_config/ or {CONFIG_DIR_VARIABLE} adds one."
            )
        return model

    def choose(self, names: Sequence[str]) -> tuple[Model, ...]:
        """Return the models called `names`, each once, or the default list if there are none.

        Raises:
            ConfigError: a name is unknown, or none was given and no default is set.
        """
        names = names or self.default
        if not names:
            raise ConfigError(f"No model was named and no default is set. {self.choice_hint()}")
        problems: list[str] = []
        chosen: dict[str, Model] = {}
        for name in names:
            try:
                model = self.find(name)
            except ConfigError as error:
                problems.append(str(error))
                continue
            if chosen.setdefault(model.name, model) != model:
                problems.append(f"Two models are called {model.name}; use them one by one.")
        if problems:
            raise ConfigError("\n".join(problems))
        return tuple(chosen.values())

    def choice_hint(self) -> str:
        """Return which models could be used now, and how to choose one."""
        usable = [m for m in self.models if m.missing() is None]
        listed = ", ".join(
            f"{m.name} ({', '.join(m.aliases)})" if m.aliases else m.name for m in usable
        )
        return (
            f"Models whose keys are set: {listed or 'none'}. Pass --model NAME, or put "
            'default_models = ["NAME"] into ./llm_config/default.toml.'
        )


def _recorded(name: str) -> Model:
    run = resolved(name.removeprefix(RECORDED_PREFIX))
    if not (run / "meta.json").is_file():
        raise ConfigError(
            f"{name!r} does not name a run: {run} has no meta.json. Give the directory of one run, "
            f"such as {RECORDED_PREFIX}prompt_lab/history/0/07_identify_potential_levers."
        )
    model_id = f"recorded/{run.parent.name}/{run.name}"
    return Model(
        name=_NOT_IN_NAMES.sub("-", model_id),
        provider="recorded",
        model_id=model_id,
        options={"run": str(run)},
        workers=64,
        price=Price(input=0, output=0),
        max_attempts=1,
    )


def entry(values: Mapping[str, Any]) -> Model:
    """Return a model from plain values, for entries without a file.

    Raises:
        ConfigError: the values are not a valid entry.
    """
    try:
        return Model.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(validation.summary(error)) from error
