"""The commands of the gateway: list the models, ask one for a token."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model_gateway.attempts import CallOutcome
    from model_gateway.config import Catalogue, Model

# What the commands call is imported when they are called, so that --help answers at once.

PROG = "python -m model_gateway"
_DONE, _FAILED, _REFUSED, _INTERRUPTED = 0, 1, 2, 130
_HEAD: tuple[str, ...] = ("", "model", "alias", "provider", "exact id", "in/out", "ready")
_EXIT_CODES = """\
exit codes:
  0    done; for ping: the model answered
  1    the model did not answer
  2    wrong usage or configuration; the message says what to do
  130  interrupted
"""


def main(arguments: Sequence[str] | None = None, prog: str = PROG) -> int:
    """Run one command and return its exit code.

    Raises:
        SystemExit: the arguments are wrong (code 2) or only ask for help (code 0).
    """
    options = parser(prog).parse_args(arguments)
    if options.command == "serve":
        return _serve(options.models, options.starter)
    from model_gateway.errors import ConfigError

    try:
        if options.command == "ping":
            return _ping(options.model)
        return _models(as_json=options.json)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return _REFUSED
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return _INTERRUPTED


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of all commands; without a command the models are listed."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="List the models there are, and ask one whether it answers.",
        epilog=f"examples:\n  {prog} list\n  {prog} list --json\n  {prog} ping llama\n\n"
        + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(command="models", json=False)
    commands = made.add_subparsers(dest="command", metavar="COMMAND", required=False)
    listing = commands.add_parser(
        "models", aliases=["list"], help="list all models (the default)",
        description="List every model: name, aliases, provider, exact id, price in US dollars "
        "per million tokens (input/output), and whether it is ready. * marks the default list.",
    )  # fmt: skip
    listing.add_argument("--json", action="store_true", help="as JSON, for programs")
    ping = commands.add_parser(
        "ping", help="ask one model for one token",
        description="Ask MODEL for one token and say what came. This may cost a token.",
    )  # fmt: skip
    ping.add_argument("model", metavar="MODEL", help="a name or alias, as `list` shows them")
    # No help: it is started by model_gateway.head_start only.
    serve = commands.add_parser("serve", description="Internal: the gateway beside a run.")
    serve.add_argument("models", nargs="*")
    serve.add_argument("--starter", type=int, required=True)
    return made


def rows(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return one row for each model, as `--json` prints them."""
    default = {catalogue.find(name).name for name in catalogue.default}
    return [_row(model, default=model.name in default) for model in catalogue.models]


def _row(model: Model, *, default: bool) -> dict[str, Any]:
    missing = model.missing()
    return {
        "name": model.name,
        "aliases": list(model.aliases),
        "provider": model.provider,
        "model_id": model.model_id,
        "price": model.price and model.price.model_dump(),
        "ready": missing is None,
        "missing": missing,
        "default": default,
    }


def _models(*, as_json: bool) -> int:
    from model_gateway import config

    catalogue = config.load()
    found = rows(catalogue)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return _DONE
    lines = [_HEAD, *(_shown(row) for row in found)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
    if not catalogue.default:
        print(f"\nNo default is set. {catalogue.ready()}")
    return _DONE


def _shown(row: dict[str, Any]) -> tuple[str, ...]:
    price = row["price"]
    return (
        "*" if row["default"] else "",
        row["name"],
        ", ".join(row["aliases"]),
        row["provider"],
        row["model_id"],
        f"{price['input']:g}/{price['output']:g}" if price else "?",
        "yes" if row["ready"] else f"no: {row['missing']}",
    )


def _ping(name: str) -> int:
    import asyncio

    from model_gateway import config

    catalogue = config.load()
    model = catalogue.find(name)
    missing = model.missing()
    if missing is not None:
        print(f"{model.name}: {missing}", file=sys.stderr)
        return _REFUSED
    outcome = asyncio.run(_asked(model, catalogue))
    return _told(model, outcome)


async def _asked(model: Model, catalogue: Catalogue) -> CallOutcome:
    from model_gateway.gateway import Gateway
    from model_gateway.ping import ping

    async with Gateway(key_variables=catalogue.key_variables) as gateway:
        return await ping(gateway, model)


def _told(model: Model, outcome: CallOutcome) -> int:
    """Say what came of a ping; a reply with nothing in it is one, for it had one token."""
    from model_gateway.call import FailureKind

    attempt, failure = outcome.attempt, outcome.failure
    if failure is not None and failure.kind not in {FailureKind.empty, FailureKind.refused}:
        print(f"{model.name} ({model.model_id}): {failure}", file=sys.stderr)
        return _REFUSED if failure.kind is FailureKind.configuration else _FAILED
    cost = "" if attempt.cost is None else f", {attempt.cost:.6f} US dollars"
    print(
        f"{model.name} ({attempt.reported_model or model.model_id}) answered in "
        f"{attempt.seconds:.2f} s: {attempt.text.strip()[:80]!r}, "
        f"{attempt.input_tokens}+{attempt.output_tokens} tokens{cost}"
    )
    return _DONE


def _serve(models: Sequence[str], starter: int) -> int:
    """Import what `models` need, and become the gateway beside the run that stdin then names.

    The starter hears on stdout how that went. Nothing is done if no run is named.
    """
    # Whoever started this waits for it only until it listens, and need not reap it at the end.
    if os.fork():
        os._exit(_DONE)
    import asyncio

    from model_gateway import beside, config, providers
    from model_gateway.beside_process import serve
    from model_gateway.errors import ConfigError, GatewayError

    # Whatever is wrong with a model is told to those who ask for it.
    with contextlib.suppress(ConfigError):
        providers.build(config.load().choose(models)[0])
    word = sys.stdin.buffer.readline()
    if not word.endswith(b"\n"):
        return _DONE
    wanted = json.loads(word)
    run_dir = Path(wanted["run_dir"])
    os.environ.update(wanted["caps"])

    def ready() -> None:
        print(json.dumps({"ready": True}), flush=True)
        # The starter reads to the end of the stream.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)

    try:
        with (run_dir / beside.FOLDER / beside.LOG).open("ab") as log:
            os.dup2(log.fileno(), sys.stderr.fileno())
        asyncio.run(serve(run_dir, starter, ready))
    except (GatewayError, OSError) as error:
        print(json.dumps({"error": str(error)}), flush=True)
        return _REFUSED
    return _DONE
