"""One file per kind of model server; the entry's `provider` names the file."""

from __future__ import annotations

import importlib
import pkgutil
import sys

from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.provider import Build, Provider
from model_gateway.served_provider import ServedProvider

_NOT_PROVIDERS = {"foreign_clients", "http_client", "http_errors"}


def names() -> list[str]:
    """Return the names that an entry's `provider` may have."""
    return sorted({m.name for m in pkgutil.iter_modules(__path__)} - _NOT_PROVIDERS)


def build(model: Model) -> Provider:
    """Return the provider of `model`, importing its SDK only now.

    Raises:
        ConfigError: the entry's provider is unknown, or its SDK is missing or refuses the settings.
    """
    if model.provider not in names():
        raise ConfigError(
            f"{model.name}: there is no provider {model.provider!r}; choose one of "
            f"{', '.join(names())}."
        )
    # Saves three megabytes in each command: httpx would import its own command line, too.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    try:
        module = importlib.import_module(f"{__name__}.{model.provider}")
    except ImportError as error:
        raise ConfigError(
            f"{model.name}: the provider {model.provider} cannot be used, because {error.name} "
            "is not installed correctly. `make setup` installs the pinned packages."
        ) from error
    build_provider: Build = module.build
    return ServedProvider(model, build_provider) if model.is_served else build_provider(model)
