"""Flags that several commands of the optimizer share."""

from __future__ import annotations

from pathlib import Path

from model_gateway import arguments
from model_gateway.arguments import Group

FORGES = ("local", "github")


def step(
    group: Group, text: str = "the step, as `plumbline steps` names it", *, required: bool = True
) -> None:
    """Add `--step`."""
    group.add_argument("--step", required=required, help=text)


def speed(group: Group) -> None:
    """Add `--speed`."""
    arguments.speed(group, "how much work a step does: a speed of the host (default: its first)")


def host(group: Group) -> None:
    """Add `--host`."""
    group.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )


def code(group: Group) -> None:
    """Add `--code`."""
    group.add_argument(
        "--code", type=Path, metavar="DIR", help="the code tree to use, such as a git worktree"
    )


def sandbox(group: Group) -> None:
    """Add `--sandbox` and `--unsafe-no-sandbox`."""
    group.add_argument(
        "--sandbox", action="store_const", const="always", help="confine the code even if it is "
        "your own checkout (other code always is)",
    )  # fmt: skip
    group.add_argument(
        "--unsafe-no-sandbox", dest="sandbox", action="store_const", const="never",
        help="confine no code: it can then read your keys and files; records say so",
    )  # fmt: skip


def repository(group: Group) -> None:
    """Add `--repo`."""
    group.add_argument(
        "--repo", type=Path, metavar="DIR",
        help="the git repository of the pipeline's code (default: the one that contains it)",
    )  # fmt: skip


def forge(group: Group) -> None:
    """Add `--forge` and `--github-repo`."""
    group.add_argument("--forge", choices=FORGES, default=FORGES[0], help="where pull requests are")
    group.add_argument(
        "--github-repo", metavar="OWNER/NAME",
        help="the repository on GitHub (default: the variable GITHUB_REPOSITORY)",
    )  # fmt: skip


def rubric(group: Group) -> None:
    """Add `--rubric`."""
    group.add_argument("--rubric", type=Path, metavar="FILE", help="another rubric than the step's")


def expectations(group: Group) -> None:
    """Add `--expect`."""
    group.add_argument(
        "--expect", action="append", default=[], metavar="METRIC:lower|higher[:model=M][:plan=P]",
        help="an effect declared in advance; may be repeated; :primary after the direction names "
        "what the candidate is made for",
    )  # fmt: skip
