"""The check before a plan begins: does every model have a key, and its server answer?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from model_gateway import beside, config, exits, preflight
from model_gateway.beside_process import LEDGER, spent_on
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Appender
from model_gateway.ledger import Caps, Ledger, Spend


def check(run_dir: Path, models: Sequence[Model], caps: Caps) -> None:
    """Ask every model of a server for one token, and count that as spent on the plan.

    Raises:
        GatewayError: a model has no key or does not answer.
        OSError: the plan's directory cannot be written.
    """
    folder = run_dir / beside.FOLDER
    folder.mkdir(parents=True, exist_ok=True)

    async def pings() -> dict[str, Spend]:
        ledger = Ledger(caps, spent=spent_on(folder))
        keys = config.load().key_variables
        async with Gateway(ledger=ledger, key_variables=keys) as gateway:
            return await preflight.check_models(gateway, models)

    spends = exits.run(pings())
    with Appender(folder / LEDGER) as rows:
        for spend in spends.values():
            rows.append(preflight.reservation(spend))
