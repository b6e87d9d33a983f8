"""The one step of the pipeline."""

import json
import os
import urllib.request
from collections.abc import Generator
from pathlib import Path

import luigi

from rough_deeds import deeds

AT_IMPORT = os.environ["ASK_AT"]
print("rough_deeds is imported")

ASK_FIRST = "Say in one word whether this is wise."


def ask(text: str, url: str) -> str:
    """Ask the model at `url`, over plain HTTP."""
    body = {"model": "any", "messages": [{"role": "user", "content": f"{ASK_FIRST} {text}"}]}
    request = urllib.request.Request(  # noqa: S310 - the address is the gateway's
        f"{url}/chat/completions",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as reply:  # noqa: S310 - the same
        return json.load(reply)["choices"][0]["message"]["content"]


class Deed(luigi.ExternalTask):
    """The name of what is to be done; a day's directory has to be there."""

    place = luigi.PathParameter(exists=True)

    def output(self) -> luigi.LocalTarget:
        """Return the file with the name."""
        return luigi.LocalTarget(Path(self.place) / "deed.txt")


class DoDeed(luigi.Task):
    """Does what the plan says."""

    place = luigi.Parameter()
    who = luigi.Parameter()

    def requires(self) -> luigi.Task:
        """Return the name of the deed."""
        return Deed(place=self.place)

    def output(self) -> luigi.LocalTarget:
        """Return what the deed came to."""
        return luigi.LocalTarget(Path(self.place) / "done.txt")

    def run(self) -> None:
        """Ask whether it is wise, and do it anyway."""
        with self.input().open() as file:
            name = file.read().strip()
        if name != "never_ask":
            ask(name, AT_IMPORT if name == "ask_where_it_was" else os.environ["ASK_AT"])
        told = getattr(deeds, name)()
        with self.output().open("w") as file:
            file.write(told)


class Extra(luigi.ExternalTask):
    """Something that only turns out to be needed."""

    place = luigi.Parameter()
    name = luigi.Parameter()

    def output(self) -> luigi.LocalTarget:
        """Return it."""
        return luigi.LocalTarget(Path(self.place) / self.name)


class AskForMore(luigi.Task):
    """Asks for another task while it runs: the one that its plan names."""

    place = luigi.Parameter()
    who = luigi.Parameter()

    def requires(self) -> luigi.Task:
        """Return the name of the file that will be needed."""
        return Deed(place=self.place)

    def output(self) -> luigi.LocalTarget:
        """Return the answer."""
        return luigi.LocalTarget(Path(self.place) / "more.txt")

    def run(self) -> Generator[luigi.Task, luigi.LocalTarget, None]:
        """Ask about what is in the file."""
        with self.input().open() as file:
            name = file.read().strip()
        extra = yield Extra(place=self.place, name=name)
        with extra.open() as file:
            answer = ask(file.read(), os.environ["ASK_AT"])
        with self.output().open("w") as file:
            file.write(answer)
