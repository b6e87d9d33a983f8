"""Record when the plan was started, because schedules begin there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import BaseModel

from model_gateway.call import Ask
from worker_plan.artifact import data
from worker_plan.step import Step, Written


class StartTimeFacts(BaseModel):
    """The start in universal time, in the server's time, and the name of that zone."""

    server_iso_utc: str
    server_iso_local: str
    server_timezone_name: str


class StartTime(Step):
    start_time = data("001-1-start_time.json", StartTimeFacts)

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        utc = datetime.now(UTC).replace(microsecond=0)
        local = utc.astimezone()
        yield (
            self.start_time,
            StartTimeFacts(
                server_iso_utc=utc.isoformat().replace("+00:00", "Z"),
                server_iso_local=local.isoformat(),
                server_timezone_name=local.tzname() or "UTC",
            ),
        )
