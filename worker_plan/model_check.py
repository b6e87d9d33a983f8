"""The check before a plan begins: does every model have a key, and its server answer?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_gateway import beside, entry_files, exits, preflight
from model_gateway.beside_process import LEDGER, spent_on
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger
from model_gateway.ping_journal import PingJournal


def check(run_dir: Path, models: Sequence[Model], caps: Caps) -> None:
    """Ask every model of a server for one token, and count that as spent on the plan.

    Raises:
        GatewayError: a model has no key or does not answer.
        OSError: the plan's directory cannot be written.
    """
    folder = run_dir / beside.FOLDER
    folder.mkdir(parents=True, exist_ok=True)

    pings = PingJournal(folder / LEDGER)

    async def ask() -> None:
        ledger = Ledger(caps, spent=spent_on(folder))
        keys = entry_files.load().key_variables
        async with Gateway(ledger=ledger, key_variables=keys) as gateway:
            await preflight.check_models(gateway, [models], pings)

    exits.run(ask())
