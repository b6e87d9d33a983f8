"""The commands of the gateway: list the models, ask one for a token, keep a server up."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_gateway import arguments, kernel
from model_gateway.exits import OK, USAGE, exit_code, run, say

if TYPE_CHECKING:
    from model_gateway.attempts import CallOutcome
    from model_gateway.config import Catalogue, Model

# What the commands call is imported when they are called, so that --help answers at once.

PROG = "python -m model_gateway"
FAILED = 1
_HEAD: tuple[str, ...] = ("", "model", "alias", "provider", "exact id", "in/out", "ready")
_EXIT_CODES = """\
exit codes:
  0    done; for ping: the model answered
  1    the model did not answer
  2    wrong usage or configuration; the message says what to do
  130  interrupted
"""


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run one command and return its exit code.

    Raises:
        SystemExit: the arguments are wrong (code 2) or only ask for help (code 0).
    """
    options = parser(prog).parse_args(words)
    if options.command == "beside":
        return _be_beside(options.models, options.starter)
    if options.command == "serve":
        return exit_code(lambda: _serve(options.model))
    if options.command == "ping":
        return exit_code(lambda: _ping(options.model))
    return exit_code(lambda: _list(as_json=options.json))


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of all commands; without a command the models are listed."""
    parser = arguments.new_parser(
        prog,
        "List the models, ask one whether it answers, or keep the server of a local one up.",
        f"examples:\n  {prog} list\n  {prog} list --json\n  {prog} ping llama\n"
        f"  {prog} serve smollm2\n\n" + _EXIT_CODES,
    )
    parser.set_defaults(command="models", json=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=False)
    listing = commands.add_parser(
        "models", aliases=["list"], help="list all models (the default)",
        description="List every model: name, aliases, provider, exact id, price in US dollars "
        "per million tokens (input/output), and whether it is ready. * marks the default list.",
    )  # fmt: skip
    arguments.as_json(listing)
    ping = commands.add_parser(
        "ping", help="ask one model for one token",
        description="Ask MODEL for one token and print the reply. This may cost a token.",
    )  # fmt: skip
    ping.add_argument("model", metavar="MODEL", help="a name or alias, as `list` shows them")
    serve = commands.add_parser(
        "serve", help="keep the server of a local model up until Ctrl-C",
        description="Start the server of MODEL, whose entry has [serve], and keep it up until "
        "Ctrl-C. Commands that use the model share it; they start it by themselves, too.",
    )  # fmt: skip
    serve.add_argument("model", metavar="MODEL", help="a name or alias, as `list` shows them")
    # No help: it is started by model_gateway.head_start only.
    beside = commands.add_parser("beside", description="Internal: the gateway beside a run.")
    beside.add_argument("models", nargs="*")
    beside.add_argument("--starter", type=int, required=True)
    return parser


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
        "price": model.price and model.price.model_dump(exclude_none=True),
        "ready": missing is None,
        "missing": missing,
        "default": default,
    }


def _list(*, as_json: bool) -> int:
    from model_gateway import entry_files

    catalogue = entry_files.load()
    models = rows(catalogue)
    if as_json:
        print(json.dumps(models, indent=2, ensure_ascii=False))
        return OK
    lines = [_HEAD, *map(_cells, models)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        print("  ".join(padded).rstrip())
    if not catalogue.default:
        print(f"\nNo default is set. {catalogue.choice_hint()}")
    return OK


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
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
    from model_gateway import entry_files

    catalogue = entry_files.load()
    model = catalogue.find(name)
    missing = model.missing()
    if missing is not None:
        say(f"{model.name}: {missing}")
        return USAGE
    return _print_reply(model, run(_ask(model, catalogue)))


async def _ask(model: Model, catalogue: Catalogue) -> CallOutcome:
    from model_gateway import caps
    from model_gateway.gateway import Gateway
    from model_gateway.ledger import Ledger, refuse_unpriced
    from model_gateway.ping import ping

    limits = caps.of_environment(os.environ)
    refuse_unpriced(limits, [model])
    async with Gateway(ledger=Ledger(limits), redact=catalogue.redactor()) as gateway:
        return await ping(gateway, model)


def _print_reply(model: Model, outcome: CallOutcome) -> int:
    """Print the outcome of a ping; an empty reply counts as one, for it had only one token."""
    from model_gateway.call import FailureKind

    attempt, failure = outcome.attempt, outcome.failure
    if failure is not None and failure.kind not in {FailureKind.empty, FailureKind.refused}:
        say(f"{model.name} ({model.model_id}): {failure}")
        settings = {FailureKind.configuration, FailureKind.access, FailureKind.model_not_found}
        return USAGE if failure.kind in settings else FAILED
    cost = "" if attempt.cost is None else f", {attempt.cost:.6f} US dollars"
    if attempt.cost_by_price is not None and attempt.cost_by_price != attempt.cost:
        cost += f" ({attempt.cost_by_price:.6f} by the entry's price)"
    print(
        f"{model.name} ({attempt.reported_model or model.model_id}) answered in "
        f"{attempt.seconds:.2f} s: {attempt.text.strip()[:80]!r}, "
        f"{attempt.input_tokens}+{attempt.output_tokens} tokens{cost}"
    )
    return OK


def _serve(name: str) -> int:
    from model_gateway import entry_files
    from model_gateway.serving import upkeep

    model = entry_files.load().find(name)
    if model.serve is None or not model.is_served:
        say(
            f"{model.name} has no server of its own to start: its entry has no [serve]"
            + (f", or {model.base_url_env} is set." if model.serve else ".")
        )
        return USAGE
    return run(upkeep.keep_up(model.serve.plan(model.name), say))


def _be_beside(models: Sequence[str], starter: int) -> int:
    """Import what `models` need, and become the gateway beside the run that stdin then names.

    The result is reported to the starter on stdout. Nothing is done if no run is named.
    """
    # The starter waits for this only until it listens, and need not reap it at the end.
    if os.fork():
        os._exit(OK)
    import asyncio

    from model_gateway import beside, entry_files, providers
    from model_gateway.beside_process import serve
    from model_gateway.errors import ConfigError, GatewayError

    kernel.hide_from_others()

    # An error of a model is reported to those who call it.
    with contextlib.suppress(ConfigError):
        providers.build(entry_files.load().choose(models)[0])
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        return OK
    request = json.loads(line)
    run_dir = Path(request["run_dir"])
    os.environ.update(request["caps"])

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
        return USAGE
    return OK
