"""Which failure is whose: what a prompt answers for, and what the world or the settings do.

The one table of all kinds of failure that a record may name. `docs/evaluator.md` shows it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from model_gateway.call import FailureKind


class Blame(StrEnum):
    """Whose a failure is."""

    prompt = "prompt"
    world = "world"
    settings = "settings"


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """One kind of failure: whose it is, when it is recorded, and whether it is tried again.

    What is tried again may be over when the same command runs again.
    """

    whose: Blame
    when: str
    again: bool


TIME_LIMIT, ACCESS = "time_limit", "access"
NO_ITEMS, UNREADABLE, WRONG_KIND, TOO_LARGE = "no_items", "unreadable", "wrong_kind", "too_large"

_K = FailureKind
FAILURES: Mapping[str, FailureRow] = {
    kind: FailureRow(whose=whose, when=when, again=whose is Blame.world or kind is _K.timeout)
    for kind, whose, when in (
        (_K.schema, Blame.prompt,
         "the reply does not fit the schema, or the server could not form JSON of it"),
        (_K.schema_echo, Blame.prompt, "the reply repeats the schema"),
        (_K.truncated, Blame.prompt, "the reply reached the limit of its length"),
        (_K.empty, Blame.prompt, "the reply is empty"),
        (_K.refused, Blame.prompt, "the model declines to answer"),
        (_K.too_long, Blame.prompt, "the prompt does not fit the model's context, or the server's "
         "limit for a request"),
        (_K.timeout, Blame.prompt, "no whole reply in time, in any attempt: a prompt that makes a "
         "model ramble causes that"),
        (TIME_LIMIT, Blame.prompt, "the cell did not end within its time limit"),
        (NO_ITEMS, Blame.prompt, "the cell succeeded, and its artifact holds no item"),
        (UNREADABLE, Blame.prompt, "the cell succeeded, and its artifact is missing or torn"),
        (WRONG_KIND, Blame.prompt, "the cell succeeded, and its artifact is JSON of another kind"),
        (TOO_LARGE, Blame.prompt, "the cell succeeded, and its artifact is too large to be read"),
        (_K.rate_limit, Blame.world, "the server asks to be called less often"),
        (_K.server, Blame.world, "the server reports an error of its own"),
        (_K.connection, Blame.world, "the server cannot be reached, or breaks off"),
        (_K.budget, Blame.world, "a cap of this command was reached"),
        (_K.killed, Blame.world, "something outside killed the cell's process, such as a lack of "
         "memory"),
        (ACCESS, Blame.world, "the key, the credit or the model itself is missing (401 to 404)"),
        (_K.configuration, Blame.settings, "the server rejects the request, or the entry is wrong"),
    )
}  # fmt: skip
"""Every kind, the prompt's first. A failed cell without a kind failed in the step: the prompt's."""

_TOO_LONG_CODES = frozenset(
    {"context_length_exceeded", "request_too_large", "exceed_context_size_error",
     "string_above_max_length", "context_window_exceeded"}
)  # fmt: skip
_NO_JSON_CODES = frozenset({"json_validate_failed"})
# The words of servers that give no code: OpenAI's and its imitators', vLLM, llama.cpp, Ollama,
# Anthropic, Google, Mistral, Cohere.
_TOO_LONG = re.compile(
    r"maximum context length|context (length|window|size)|prompt is too long|too many tokens|"
    r"input is too long|request too large|exceeds? the maximum size|"
    r"(token count|tokens?) .{0,40}exceeds? .{0,40}(maximum|limit|allowed|context)|"
    r"would cut it to options\.num_ctx",
    re.IGNORECASE,
)
_NO_JSON = re.compile(r"failed to generate (a )?(valid )?json", re.IGNORECASE)
_ANSWERED = re.compile(r"(?:the server answered|[Ee]rror code:) (\d{3})")
_NO_ACCESS = re.compile(
    r"the environment variable \S+ is not set|AuthenticationError|PermissionDeniedError|"
    r"NotFoundError"
)
_ACCESS_CODES = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN,
     HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS}
)  # fmt: skip
_SPEAKS_OF_THE_REQUEST = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.INTERNAL_SERVER_ERROR}
)
_CELL_LIMIT = "the time limit of a cell"


def whose(kind: str | None) -> Blame:
    """Return whose a failure of this kind is; one that no table names is the prompt's."""
    row = FAILURES.get(kind or "")
    return row.whose if row is not None else Blame.prompt


def kind_of_answer(status: int, codes: frozenset[str], message: str) -> FailureKind | None:
    """Return the kind of an HTTP error that the prompt causes, None for every other error."""
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or codes & _TOO_LONG_CODES:
        return FailureKind.too_long
    if codes & _NO_JSON_CODES:
        return FailureKind.schema
    if status not in _SPEAKS_OF_THE_REQUEST:
        return None
    if _TOO_LONG.search(message):
        return FailureKind.too_long
    return FailureKind.schema if _NO_JSON.search(message) else None


def kind_in_record(kind: str | None, error: str) -> str | None:
    """Return the kind of a recorded failure, more exactly than the record names it.

    Records made before the table said `configuration` of all that a server rejects, and `timeout`
    of a cell that was killed at its own time limit.
    """
    if kind == FailureKind.timeout:
        return TIME_LIMIT if _CELL_LIMIT in error else kind
    if kind != FailureKind.configuration:
        return kind
    answered = _ANSWERED.search(error)
    status = int(answered[1]) if answered is not None else int(HTTPStatus.BAD_REQUEST)
    better = kind_of_answer(status, frozenset(), error)
    if better is not None:
        return str(better)
    return ACCESS if status in _ACCESS_CODES or _NO_ACCESS.search(error) else kind
