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
from model_gateway.error_kinds import kind_of_answer


class Blame(StrEnum):
    """Whose a failure is."""

    prompt = "prompt"
    world = "world"
    settings = "settings"


@dataclass(frozen=True, kw_only=True)
class FailureRow:
    """One kind of failure: whose it is, when it is recorded, and whether it is tried again.

    What is tried again stays open: it may be over when the same command runs again. What a prompt
    can cause, too, is the prompt's where only one side of a comparison has it.
    """

    whose: Blame
    when: str
    again: bool
    prompt_alone: bool = False


TIME_LIMIT = "time_limit"
NO_ITEMS, UNREADABLE, WRONG_KIND, TOO_LARGE = "no_items", "unreadable", "wrong_kind", "too_large"

_K = FailureKind
_OF_BOTH = {_K.timeout, _K.out_of_memory, _K.configuration}
FAILURES: Mapping[str, FailureRow] = {
    kind: FailureRow(
        whose=whose, when=when, again=whose is Blame.world, prompt_alone=kind in _OF_BOTH
    )
    for kind, whose, when in (
        (_K.schema, Blame.prompt,
         "the reply does not fit the schema, or the server could not form JSON of it"),
        (_K.schema_echo, Blame.prompt, "the reply repeats the schema"),
        (_K.truncated, Blame.prompt, "the reply reached the limit of its length"),
        (_K.empty, Blame.prompt, "the reply is empty"),
        (_K.refused, Blame.prompt, "the model or a filter of the server declines to answer"),
        (_K.too_long, Blame.prompt, "the prompt does not fit the model's context, or the server's "
         "limit for a request"),
        (TIME_LIMIT, Blame.prompt, "the cell did not end within its time limit"),
        (NO_ITEMS, Blame.prompt, "the cell succeeded, and its artifact holds no item"),
        (UNREADABLE, Blame.prompt, "the cell succeeded, and its artifact is missing or torn"),
        (WRONG_KIND, Blame.prompt, "the cell succeeded, and its artifact is JSON of another kind"),
        (TOO_LARGE, Blame.prompt, "the cell succeeded, and its artifact is too large to be read"),
        (_K.server, Blame.world, "the server reports an error of its own, or loads its model"),
        (_K.connection, Blame.world, "the server cannot be reached, or breaks off"),
        (_K.timeout, Blame.world, "no whole reply in time, in any attempt"),
        (_K.rate_limit, Blame.world, "the server asks to be called less often"),
        (_K.daily_limit, Blame.world, "the calls or tokens of a day are used up"),
        (_K.no_credit, Blame.world, "the account has no credit (402), or its quota is used up"),
        (_K.access, Blame.world, "the key is missing, wrong or may not use the model (401, 403)"),
        (_K.model_not_found, Blame.world, "the server does not know the model"),
        (_K.out_of_memory, Blame.world, "the server has too little memory for the model"),
        (_K.budget, Blame.world, "a cap of this command was reached"),
        (_K.killed, Blame.world, "something outside killed the cell's process, such as a lack of "
         "memory"),
        (_K.configuration, Blame.settings, "the server rejects the request, or the entry is wrong"),
    )
}  # fmt: skip
"""Every kind, the prompt's first. A failed cell without a kind failed in the step: the prompt's."""

STOPPING = frozenset({_K.daily_limit, _K.no_credit})
"""What will not pass while a command runs: the model that meets it gets no further call."""

_ANSWERED = re.compile(r"(?:the server answered|[Ee]rror code:) (\d{3})")
_NO_ACCESS = re.compile(
    r"the environment variable \S+ is not set|AuthenticationError|PermissionDeniedError"
)
_CUT_CONTEXT = re.compile(r"would cut it to options\.num_ctx")
_SAID_ALL: Mapping[int, FailureKind] = {
    HTTPStatus.NOT_FOUND: FailureKind.model_not_found,
    # A rate limit was no `configuration`; a quota that is used up was.
    HTTPStatus.TOO_MANY_REQUESTS: FailureKind.no_credit,
}
_CELL_LIMIT = "the time limit of a cell"


def whose(kind: str | None) -> Blame:
    """Return whose a failure of this kind is; one that no table names is the prompt's."""
    row = FAILURES.get(kind or "")
    return row.whose if row is not None else Blame.prompt


def whose_alone(kind: str | None) -> Blame:
    """Return whose a failure of this kind is that the other side of a comparison has not."""
    row = FAILURES.get(kind or "")
    return row.whose if row is not None and not row.prompt_alone else Blame.prompt


def is_tried_again(kind: str | None, error: str) -> bool:
    """Whether a cell that failed so stays open, given what its record says."""
    row = FAILURES.get(kind_in_record(kind, error) or "")
    return row is not None and row.again


def kind_in_record(kind: str | None, error: str) -> str | None:
    """Return the kind of a recorded failure, more exactly than the record names it.

    Records made before the table said `configuration` of all that a server rejects, and `timeout`
    of a cell that was killed at its own time limit.
    """
    if kind == FailureKind.timeout:
        return TIME_LIMIT if _CELL_LIMIT in error else kind
    if kind != FailureKind.configuration:
        return kind
    if _CUT_CONTEXT.search(error):
        return str(FailureKind.too_long)
    if _NO_ACCESS.search(error):
        return str(FailureKind.access)
    answered = _ANSWERED.search(error)
    if answered is None:
        better = kind_of_answer(HTTPStatus.BAD_REQUEST, frozenset(), error)
        is_missing = "NotFoundError" in error
        is_read = better in {FailureKind.too_long, FailureKind.schema}
        return str(FailureKind.model_not_found if is_missing else better if is_read else kind)
    status = int(answered[1])
    if status in _SAID_ALL:
        return str(_SAID_ALL[status])
    return str(kind_of_answer(status, frozenset(), error))
