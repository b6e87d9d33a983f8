"""The words of the benchmark's page that do not depend on what was found."""

TOP = """\
# Which generator to use when

**SIMULATED.** Everything here was found on the simulated model (docs/simulated_model.md). It says
how the algorithms behave on landscapes of that kind with that proposer, and is no evidence about
any real prompt or model.

This page is written by

    {command}

It ran {searches} searches on {landscapes} landscapes with at most {budget} step calls each, the
oracle's apart. They took {minutes} minutes, one after the other. What it finds is reported, whoever
wins. The same command goes on where a killed one ended; the rows behind the tables lie in
`figures/generators/results.jsonl`. Each says what it was made with: the commit, the rubric (here
`{rubric}`), and a digest of step, rubric, metrics, plans, generators and simulation; a row of
another digest does not count.

That every generator runs through the real command, on two steps, with iterations from what it
found, is shown in [generators_searches.md](generators_searches.md). `make test-extras` installs the
packages gepa and dspy (`plumbline[gepa]`, `plumbline[dspy]`; pinned in `requirements-extras.lock`)
into an environment of their own and tests the generators that drive them."""

HOW = """\
## How it is measured

- **A landscape** is drawn from its number: three models made from the personas by moving their
  parameters, strengths of the rules, a prompt of the step `identify_potential_levers` into which
  careless sentences were put and from which examples were taken, three of the bundled train plans,
  and a seed. Clauses interact (every one dilutes the others, at another length for each model),
  models have optima of their own, length is penalised, and cells are noisy.
- **Landscapes {tuned} are for tuning, {reported} for reporting**
  (`self_improve/benchmark/landscapes.py`); they share no model, no seed and no faulty prompt. The
  bundled plans are the same in both. Reported here: {numbers}. Left out, because less than .02 can
  be gained there: {left_out}.
- **A step call** is a cell: the step on one plan and one model. A search sees nine of them (three
  plans, three models), has one budget, and asks `sim-proposer`; neither it nor any generator can
  read the rules (a contract of the imports, and a test that turns all signs round).
- **The score** is the fitness of `self_improve/measures/fitness.py`; a failed cell counts 0.
  The baseline has {base} on average.
- **What can be gained** is the most that anybody found on the landscape: an oracle that may read
  the rules and the prompt as it was before it was made faulty, and that climbs with more step calls
  than any search has; or a search, where one found more ({beaten} of {of} landscapes). It is
  {gain} on average. It is a lower bound of what is possible, and it is counted on the train cells,
  so that part of it is luck of these cells, for the oracle as for the searches.
- **Reaching a share** means that a proposal scored on all nine cases has it. Algorithms that score
  on a sample and confirm their best at the end (`opro`, `evoprompt-ga`, `evoprompt-de`,
  `promptbreeder`) therefore rise late, and have little area: what they hold before that is not
  known to be good. Medians count a search that does not get there as later than the budget (`>`);
  how many got there stands beside. With one budget for all this is the median of the Kaplan-Meier
  curve.
- **Worst model** is the loss of the model that lost most on the verify plans; `+0.000 (+0.000 to
  +0.000)` there means that on no landscape any model lost.
- **Overhead** is what neither step, nor measuring, nor proposer took, by what was proposed, whether
  it was admitted or refused; of the searches' figures the median.
- **Intervals** are 95 % bootstrap intervals over landscapes. Searches call the step's own `work`
  without Luigi and processes; a test proves the outcomes equal to the runner's
  (`tests/self_improve/benchmark/test_direct_cells.py`)."""

HOUSE = """\
The goal: the house default (`reflective`) needs at most as many step calls for 80 % of what can be
gained as the better of the `gepa` package and DSPy's MIPROv2, median over landscapes.

The better of the two is `{other}`: {theirs}. The house default: {ours}. So {told}. Half of what can
be gained takes the house default {half} and `{other}` {other_half}. {paired}

Over the whole budget the house default has {by_area} area ({area}
against {other_area}); it ends at {final} of what can be gained against {other_final}, and gains
{verify} on the verify plans against {other_verify}."""

LIST = """\
## What there is

`python -m self_improve.generators` lists them; with a name it tells source, defaults and what was
adapted."""

ADVICE = """\
What the algorithms are made for, beyond these numbers:

- `operators` and `random` need no proposer model. They are slow but blind to nothing: they also try
  what a proposer never thinks of, such as another number.
- `reflective`, `gepa` and `gepa-package` read what went wrong in words, so they need metrics whose
  spans are worth reading. `reflective` declares one change a variant, which is what a reviewer of
  a pull request wants to see, puts changes together that did better apart, and takes to the single
  edits of `operators` when the proposer's ideas gain nothing.
- `opro`, `evoprompt-ga`, `evoprompt-de` and `promptbreeder` carry a population or a trajectory and
  need many cheap scores before they pay; small local models are what they suit (`--small`).
- `miprov2`, `dspy-miprov2` and `dspy-bootstrap` put demonstrations into the prompt. They fit steps
  whose outputs are good examples, and make prompts longer; look at what is copied from them.
- `spo` needs no metric, only a judge. Take it where no rubric exists.
- `ape` starts from pairs of input and output: for steps without a usable prompt.
- `textgrad` and `promptagent` make several proposer calls for one candidate: for steps whose calls
  cost much more than the proposer's."""

RESUME = """\
Each search was killed with SIGKILL when half of its step calls were made, and begun again from its
journal; beside it the same search ran without a kill. Calls made again are step or proposer calls
of the first life that the second one made once more. A generator whose search ends before that is
not killed."""

SCOPE = """\
## Out of scope, and why

- **GRPO and other reinforcement learning with verifiable rewards**: they change a model's weights
  and need thousands of rollouts; this project changes the texts of a pipeline whose models are
  somebody else's, with hundreds of cells.
- **RLHF**: the same, and a reward model trained on many preferences.
- **Soft prompts** (prefix and prompt tuning): vectors in a model's embedding space. They need
  access to the model, cannot be read, reviewed or put into a pull request, and die with the model.
- **Prompt optimization together with fine-tuning** (as in BetterTogether): needs weights as well,
  and ties a prompt to one of them, while a pipeline's prompts must serve several models."""
