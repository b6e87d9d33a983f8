"""One day at the office, as Luigi tasks."""

from pathlib import Path

import luigi
import openai

from lost_property import prompts
from lost_property.prompts import HOUSE_RULES
from lost_property.shapes import SortedItems


class DeskTask(luigi.Task):
    """What all tasks of a day share."""

    desk = luigi.Parameter()
    engine = luigi.Parameter()
    tone = luigi.Parameter(default="warm")

    def on_desk(self, name: str) -> luigi.LocalTarget:
        """Return the file called `name` of this day."""
        return luigi.LocalTarget(Path(self.desk) / name)


class CounterLog(luigi.ExternalTask):
    """The log that the clerk keeps by hand."""

    desk = luigi.Parameter()

    def output(self) -> luigi.LocalTarget:
        """Return the log."""
        return luigi.LocalTarget(Path(self.desk) / "log.md")


class SortItems(DeskTask):
    """Turns the log into a list of things."""

    def requires(self) -> luigi.Task:
        """Return the log."""
        return CounterLog(desk=self.desk)

    def output(self) -> luigi.LocalTarget:
        """Return the list."""
        return self.on_desk("sorted/items.json")

    def run(self) -> None:
        """Ask for the list, with a preamble in the user role and the schema held by the server."""
        with self.input().open() as file:
            log = file.read()
        schema = {"name": "SortedItems", "schema": SortedItems.model_json_schema()}
        reply = openai.OpenAI().chat.completions.create(
            model=self.engine,
            messages=[
                {"role": "user", "content": HOUSE_RULES},
                {"role": "user", "content": prompts.SORT_TEMPLATE.format(log=log)},
            ],
            response_format={"type": "json_schema", "json_schema": schema},
        )
        items = SortedItems.model_validate_json(reply.choices[0].message.content or "")
        with self.output().open("w") as file:
            file.write(items.model_dump_json(indent=2))


class ItemsTable(DeskTask):
    """Lays the list out as a table."""

    def requires(self) -> luigi.Task:
        """Return the list."""
        return self.clone(SortItems)

    def output(self) -> luigi.LocalTarget:
        """Return the table."""
        return self.on_desk("table.md")

    def run(self) -> None:
        """Write one row for each thing."""
        with self.input().open() as file:
            items = SortedItems.model_validate_json(file.read()).items
        rows = ["| thing | found at |", "|---|---|"]
        rows += [f"| {item.thing} | {item.found_at} |" for item in items]
        with self.output().open("w") as file:
            file.write("\n".join(rows) + "\n")


class WriteNotice(DeskTask):
    """Turns the table into a notice for the door."""

    def requires(self) -> list[luigi.Task]:
        """Return the table, and the list for the number of things."""
        return [self.clone(ItemsTable), self.clone(SortItems)]

    def output(self) -> luigi.LocalTarget:
        """Return the notice."""
        return self.on_desk("notice.txt")

    def run(self) -> None:
        """Ask for the notice, with prompts made of f-strings."""
        table, items = (target.open().read() for target in self.input())
        task = prompts.NOTICE_TASK % {"closing": "six"}
        count = len(SortedItems.model_validate_json(items).items)
        reply = openai.OpenAI().chat.completions.create(
            model=self.engine,
            messages=[
                {"role": "system", "content": f"You write in a {self.tone} tone, {count} lines."},
                {"role": "user", "content": f"{HOUSE_RULES}\n\n{task}\n\n{table}"},
            ],
        )
        with self.output().open("w") as file:
            file.write(reply.choices[0].message.content or "")


class Everything(luigi.WrapperTask):
    """All of a day."""

    desk = luigi.Parameter()
    engine = luigi.Parameter()
    tone = luigi.Parameter(default="warm")

    def requires(self) -> list[luigi.Task]:
        """Return the last task of every branch."""
        return [self.clone(WriteNotice)]
