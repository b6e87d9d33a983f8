"""Beginning or resuming an iteration: its folder, ledger and forge; and its cost, beforehand."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from analysis.program import PROGRAMS
from model_gateway import arguments, availability
from model_gateway.config import Model
from model_gateway.counsel import Counsel, spent_in
from model_gateway.exits import say
from model_gateway.gateway import Gateway
from model_gateway.jsonl import read_rows
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger, Spend, refuse_unpriced, spent_before
from prompt_lab.layout import Layout, runs
from prompt_lab.record import RESERVATIONS, Run
from self_improve.errors import UsageError
from self_improve.forge.checked import CheckedForge
from self_improve.forge.forge import Forge
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE, Branches
from self_improve.iteration.context import IterationContext
from self_improve.iteration.decision import Decision
from self_improve.iteration.folder import LAST_PHASE, IterationFolder
from self_improve.iteration.implementing import choice
from self_improve.iteration.implementing.acceptance import SMOKES
from self_improve.iteration.iterate import Iteration, commit
from self_improve.iteration.judgement import prospect_of, rubric_of
from self_improve.iteration.price import price_of
from self_improve.iteration.proposing import from_synthesis, propose
from self_improve.iteration.proposing.from_search import SEARCHES
from self_improve.iteration.publication import Publisher
from self_improve.iteration.readiness import require_ready
from self_improve.iteration.request import IterationRequest, runner_seed
from self_improve.runs.estimate import estimate
from self_improve.runs.experiment import experiment
from self_improve.runs.pings import left_over
from self_improve.runs.progress import display
from self_improve.runs.run_state import RunState
from self_improve.verdict import expectation


async def run(request: IterationRequest, *, new: bool = False, dry_run: bool = False) -> list[str]:
    """Run an iteration, or resume the one that was begun; return how its candidates ended.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached.
    """
    require_measurable(request)
    forge = forge_of(request)
    branches = Branches(request.layout, request.code, forge, redactor=request.run.redactor)
    base = branches.base(request.base)
    identity = request.identity(base)
    folder = IterationFolder.latest(request.layout, identity)
    if folder is None or not folder.finished or new:
        require_ready(request, None if folder is not None and folder.finished else folder)
    if dry_run:
        await propose.require_candidates(request, branches, base)
        left = None if folder is None or folder.finished else folder
        if (
            folder is not None
            and left is None
            and not new
            and not _has_moved(request, folder, branches)
        ):
            say(f"{folder.id} is already finished: without --new nothing is sent. With it:")
        await show_cost(request, branches, base, left)
        return []
    if folder is not None and folder.finished:
        new = new or _has_moved(request, folder, branches)
    if folder is None or (new and folder.finished):
        await propose.require_candidates(request, branches, base)
    if folder is not None and folder.finished:
        # It may have been killed after its last phase and before that was committed.
        commit(request, folder, LAST_PHASE)
    folder = IterationFolder.latest_or_new(request.layout, request.step, identity, new=new)
    if folder.finished:
        rows = (folder.result(LAST_PHASE) or {})["candidates"]
        for name, row in rows.items():
            say(f"{row['told']}: {name} {row['url']}")
        say(f"{folder.id} is already finished; --new judges the same change again.")
        return [row["end"] for row in rows.values()]
    with folder.lock():
        async with gateway_of(request, spent_on(request.layout, [folder])) as gateway:
            services = Services(gateway=gateway, forge=forge, branches=branches)
            decisions = await carry_out(request, folder, base, services)
    return [str(decision.end) for decision in decisions.values()]


def _has_moved(request: IterationRequest, folder: IterationFolder, branches: Branches) -> bool:
    """Whether the branch that was tested has other commits now, so that it is another change."""
    if request.branch is None:
        return False
    drafts = (folder.result("propose") or {}).get("drafts", [])
    return [draft["commit"] for draft in drafts] != [branches.commit_of(request.branch)]


def require_measurable(request: IterationRequest) -> None:
    """Check, before anything is begun, that the step has a rubric and expectations fit it.

    Raises:
        UsageError: the step has no rubric, or an expectation names an unknown metric or model.
        RubricError: the rubric cannot be used.
    """
    rubric = rubric_of(request.step)
    expectations = [expectation.parse(text, rubric) for text in request.expectations]
    plans = {plan for one in expectations for plan in one.plans}  # They are checked later.
    expectation.check_scope(expectations, {model.name for model in request.run.models}, plans)


@dataclass(frozen=True, kw_only=True)
class Services:
    """The services that the iterations of a loop share."""

    gateway: Gateway
    forge: Forge
    branches: Branches


def gateway_of(request: IterationRequest, spent: Spend) -> Gateway:
    """Return the gateway of a command whose earlier sessions have spent `spent`.

    Raises:
        ConfigError: a cap in dollars was set and a model has no price, or an agent is neither a
            program nor a model.
    """
    models = (*request.run.models, *request.run.fallbacks, request.judge, request.proposer)
    refuse_unpriced(request.run.caps, (*models, *_named_agents(request)))
    ledger = Ledger(request.run.caps, spent=spent)
    return Gateway(
        ledger=ledger,
        redact=request.run.catalogue.redactor(),
        availability=availability.of_user(),
    )


def _named_agents(request: IterationRequest) -> list[Model]:
    """Return the models that were named as agents; installed programs declare a maximum.

    Raises:
        ConfigError: a name is neither a program nor a model.
    """
    names = [] if request.analyse == "never" else arguments.names(request.agents)
    if request.implementer is not None and not request.skip_implement:
        names.append(request.implementer)
    return [request.run.catalogue.find(name) for name in names if name not in PROGRAMS]


async def carry_out(
    request: IterationRequest, folder: IterationFolder, base: str, services: Services
) -> dict[str, Decision]:
    """Run the phases that are left of an iteration that this process holds.

    Raises:
        UsageError: something does not fit.
        BudgetReached: a cap was reached.
    """
    elsewhere = services.gateway.ledger.spent - spent_on(request.layout, [folder])
    async with Counsel(services.gateway, folder.counsel, seed=request.run.seed) as counsel:
        context = IterationContext(
            request=request, folder=folder, base=base, rubric=rubric_of(request.step),
            gateway=services.gateway, counsel=counsel, branches=services.branches,
            publisher=Publisher(request, folder, services.forge, say),
            display=display(quiet=False), elsewhere=elsewhere,
        )  # fmt: skip
        decisions = await Iteration(context).run()
    say(f"Recorded in {folder.path}")
    return decisions


def forge_of(request: IterationRequest) -> Forge:
    """Return the forge that was named.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    redactor = request.run.redactor
    return forge_named(request.forge, request.layout, request.github_repository, redactor=redactor)


def forge_named(
    name: str, layout: Layout, github_repository: str | None, *, redactor: Redactor
) -> Forge:
    """Return the local forge of a data repo, or a repository on GitHub; neither takes a key.

    Raises:
        UsageError: GitHub was named without a repository or a token.
    """
    if name == "local":
        from self_improve.forge.local import LocalForge

        return CheckedForge(LocalForge(layout.forge), redactor)
    if not github_repository:
        raise UsageError(
            "Which repository on GitHub? Say --github-repo OWNER/NAME or set GITHUB_REPOSITORY."
        )
    # Imported here because it takes half a second, and local forges do not need it.
    from self_improve.forge.github import GitHubForge

    return CheckedForge(GitHubForge.from_environment(github_repository), redactor)


def spent_on(
    lab: Layout, folders: Sequence[IterationFolder], *, seeds: Collection[int] = ()
) -> Spend:
    """Return what earlier sessions spent on iterations: on counsel, on programs, on runs.

    `seeds` are those of further runs of the same loop. A run's seed says which iteration it is of.
    """
    spent = Spend()
    seeds = {*seeds, *(runner_seed(folder.identity["seed"], folder.number) for folder in folders)}
    layouts = [lab]
    for folder in folders:
        spent += spent_in(folder.counsel)
        layouts += [Layout(lab.scratch / name / folder.id) for name in (SEARCHES, SMOKES)]
    for layout in layouts:
        spent += left_over(layout, seeds)
        for path in runs(layout) if seeds else ():
            run = Run(path)
            if run.meta.get("seed") in seeds:
                spent += spent_before(read_rows(path / RESERVATIONS)[0], run.attempts())
    return spent


async def show_cost_of_step(request: IterationRequest, step: str) -> None:
    """Show what one iteration on a step would cost; nothing is sent."""
    branches = Branches(
        request.layout, request.code, forge_of(request), redactor=request.run.redactor
    )
    request = replace(request, run=replace(request.run, step=step))
    await show_cost(request, branches, branches.base(request.base))


async def show_cost(
    request: IterationRequest,
    branches: Branches,
    base: str,
    folder: IterationFolder | None = None,
) -> None:
    """Show what each phase may cost; of an iteration in `folder` what is left. Nothing is sent.

    Raises:
        UsageError: a candidate is refused, as it would be by the command itself.
    """
    tree = branches.tree(branches.baseline(base), base)
    number = -1 if folder is None else folder.number
    directions = from_synthesis.code_directions(request)
    async with experiment({BASELINE: request.run_request(tree.code, number=number)}) as cells:
        work = cells.works[BASELINE]
        if request.prompts:
            draft = propose.draft_of_files(request, work)
            texts = rejected.texts_of(work.pipeline, request.step)
            propose.require_untried(request, draft, rejected.base_of(texts))
        planned = work.specifications
        # An iteration has runs of its own: those of other commands are not taken for them.
        states = [RunState(specification=one, run=None) for one in planned]
        if folder is not None:
            states = cells.states()[BASELINE]
        expected = await estimate(cells.requests[BASELINE], work, states)
        price = await price_of(request, work, expected, folder, directions=len(directions))
    if directions:
        say(choice.summary(request, len(directions)))
    say(f"base {base[:12]} of {request.base}; each side: {expected.text()}")
    if sentence := prospect_of(request.step, planned, request.layout):
        say(sentence)
    if folder is not None:
        say(f"{folder.id} was begun: what is left of it may cost")
    say(f"{price.text()}\nNothing was sent.")
