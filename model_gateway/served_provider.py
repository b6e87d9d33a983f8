"""A provider whose server Plumbline starts."""

from __future__ import annotations

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from model_gateway.provider import Answer, Build, Provider, ProviderError, Request
from model_gateway.serving.plan import PORT
from model_gateway.serving.server import ServingError, SharedServer


class ServedProvider:
    """The provider of an entry with `[serve]`: starts the server, and asks it at its port.

    `build` makes the provider of an entry with an address.

    Raises:
        ConfigError: the entry cannot be used, or what it starts is not installed.
    """

    def __init__(self, model: Model, build: Build) -> None:
        if model.serve is None:
            raise ConfigError(f"{model.name} has no [serve].")
        self._model = model
        self._build = build
        self._at: dict[int, Provider] = {}
        self.server = SharedServer(model.serve.plan(model.name))
        self.source = self._provider(model.serve.port).source

    async def prepare(self) -> None:
        """Return when the server is ready, after starting it if need be.

        Raises:
            ProviderError: it cannot be started.
        """
        try:
            await self.server.ready()
        except ServingError as error:
            kind = FailureKind.configuration if error.ours else FailureKind.server
            raise ProviderError(kind, error.message) from error

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply.
        """
        try:
            with self.server.in_use() as port:
                return await self._provider(port).send(request)
        except ServingError as error:
            raise ProviderError(FailureKind.connection, error.message) from error
        except ProviderError as error:
            if error.kind is not FailureKind.connection:
                raise
            self.server.doubt()
            folder = self.server.folder
            message = f"{error.message}; the log of its server, {folder.log}, ends: "
            raise ProviderError(
                error.kind, message + folder.last_words(),
                retry_after=error.retry_after, billed=error.billed,
            ) from error  # fmt: skip

    async def close(self) -> None:
        """Close connections; the server stays until nobody has used it for its idle time."""
        for provider in self._at.values():
            await provider.close()

    def _provider(self, port: int) -> Provider:
        if port not in self._at:
            address = (self._model.base_url or "").replace(PORT, str(port))
            self._at[port] = self._build(self._model.model_copy(update={"base_url": address}))
        return self._at[port]
