"""What runs were expected to cost, and what was billed for them, by model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.jsonl import read_rows
from prompt_lab.record import ESTIMATED, EVENTS, Run
from prompt_lab.tables import aligned


@dataclass(frozen=True, kw_only=True)
class Bill:
    """The finished runs on one model, in US dollars; what is unknown of one run is None.

    `estimated` is what the runs were expected to cost, `billed` what the servers' reports amount
    to, `by_price` what the reported tokens cost at the entry's price, and `charged` what counted
    against caps: pings too, and the whole reservation where a server reported nothing.
    """

    model: str
    runs: int
    estimated: float | None
    billed: float | None
    by_price: float | None
    charged: float | None
    simulated: bool

    @property
    def off(self) -> float | None:
        """How much more was billed than estimated, as a share of the estimate."""
        if self.billed is None or not self.estimated:
            return None
        return self.billed / self.estimated - 1


def bills_of(history: Iterable[Run]) -> tuple[Bill, ...]:
    """Return the bills of all finished runs, by model, simulated ones last."""
    by_model: defaultdict[tuple[bool, str], list[tuple[float | None, ...]]] = defaultdict(list)
    for run in history:
        spent = (run.done() or {}).get("spent")
        if not isinstance(spent, dict) or "charged_usd" not in spent:
            continue  # It is unfinished, or older than these figures.
        figures = (
            next(_estimates(run), None),
            *(_amount(spent.get(n)) for n in ("cost_usd", "cost_by_price_usd", "charged_usd")),
        )
        by_model[run.is_simulated, run.model].append(figures)
    bills = []
    for (simulated, model), rows in sorted(by_model.items()):
        estimated, billed, by_price, charged = map(_sum, zip(*rows, strict=True))
        bills.append(
            Bill(
                model=model, runs=len(rows), estimated=estimated, billed=billed,
                by_price=by_price, charged=charged, simulated=simulated,
            )
        )  # fmt: skip
    return tuple(bills)


def _estimates(run: Run) -> Iterator[float | None]:
    rows = read_rows(run.path / EVENTS)[0]
    return (_amount(row.get("dollars")) for row in rows if row.get("event") == ESTIMATED)


def _amount(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and math.isfinite(value) else None


def _sum(values: Sequence[float | None]) -> float | None:
    terms = [value for value in values if value is not None]
    return sum(terms) if len(terms) == len(values) else None


def table(bills: Sequence[Bill]) -> list[str]:
    """Return the lines of a table for people, none where there are no bills."""
    if not bills:
        return []
    head = ("model", "runs", "estimated", "billed", "off", "by price", "charged to caps")
    rows = (
        (
            f"SIMULATED {bill.model}" if bill.simulated else bill.model, str(bill.runs),
            _dollars(bill.estimated), _dollars(bill.billed),
            "" if bill.off is None else f"{bill.off:+.0%}",
            _dollars(bill.by_price), _dollars(bill.charged),
        )
        for bill in bills
    )  # fmt: skip
    return [*aligned([head, *rows]), ""]


def _dollars(amount: float | None) -> str:
    return "unknown" if amount is None else f"${amount:.4f}"
