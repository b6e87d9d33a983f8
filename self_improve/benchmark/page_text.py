"""The parts of the benchmark's page that do not depend on its results."""

TOP = """\
# Which generator to use when

For people who choose a search algorithm for `plumbline iterate --generator`, and for developers of
generators. After reading you know which one to choose for your budget, and how that was measured.

**SIMULATED.** All results come from the simulated model ([simulated_model.md](simulated_model.md)).
They show how the algorithms behave on landscapes of that kind with that proposer, and are not
[evidence](glossary.md#evidence) about any real prompt or model.

This page is written by

    {command}

It ran {searches} searches on {landscapes} landscapes with at most {budget} step calls each, the
oracle's not included. They took {minutes} minutes, one after the other. The results are reported
whatever they are. Run the command again to resume it. The rows behind the tables are in
`figures/generators/results.jsonl`. Each names its origin: the commit, the
[rubric](glossary.md#rubric) (here `{rubric}`), and a digest of step, rubric, metrics, plans,
generators and simulation; rows with another digest do not count. Rows carried over to code that was
only moved name the origin of their search as `measured_with`.

[generators_searches.md](generators_searches.md) shows that every generator runs through the real
command, on two steps, and that iterations start from its results. `make test-extras` installs the
packages gepa and dspy (`plumbline[gepa]`, `plumbline[dspy]`; pinned in `requirements-extras.lock`)
into an environment of their own and tests the generators that use them."""

HOW = """\
## How it is measured

- **A landscape** is drawn from its number: three models, made by moving the parameters of the
  personas; strengths of the rules; a prompt of the step `identify_potential_levers` with careless
  sentences added and examples removed; three of the bundled train plans; and a seed. Clauses
  interact (every one dilutes the others, at another length for each model), models have optima of
  their own, length is penalised, and [cells](glossary.md#cell) are noisy.
- **Landscapes {tuned} are for tuning, {reported} for reporting**
  (`self_improve/benchmark/experiments/landscapes.py`); they share no model, no seed and no
  faulty prompt. The bundled plans are the same in both. Reported here: {numbers}.
  Left out, because less than .02 can be gained there: {left_out}.
- **A step call** is a cell: the step on one plan and one model. A search sees nine of them (three
  plans, three models), has one budget, and asks `sim-proposer`; neither it nor any generator can
  read the rules (a contract of the imports and a test that reverses all signs check this).
- **The score** is the fitness of `self_improve/measures/fitness.py`; a failed cell counts 0.
  The baseline has {base} on average.
- **What can be gained** is the best result on the landscape: that of an oracle, which may read the
  rules and the prompt before it was made faulty, and has more step calls than any search; or that
  of a search, where one found more ({beaten} of {of} landscapes). It is {gain} on average. It is a
  lower bound of what is possible. It is measured on the train cells, so part of it is luck, for the
  oracle as for the searches.
- **Reaching a share** means that a proposal scored on all nine cases has it. Algorithms that score
  on a sample and confirm their best at the end (`opro`, `evoprompt-ga`, `evoprompt-de`,
  `promptbreeder`) therefore rise late and have little area: before that, their best is not yet
  confirmed. Medians count a search that does not reach the share as later than the budget (`>`);
  the number that reach it is given beside. With one budget for all this is the median of the
  Kaplan-Meier curve.
- **Worst model** is the loss of the model that lost most on the verify plans; `+0.000 (+0.000 to
  +0.000)` means that no model lost on any landscape.
- **Overhead** is the time outside step, measuring and proposer per proposal, admitted or refused;
  the median over the searches.
- **Intervals** are 95 % bootstrap intervals over landscapes. Searches call the step's own `work`
  without Luigi and processes; a test checks that the outcomes equal the runner's
  (`tests/self_improve/benchmark/test_direct_cells.py`)."""

HOUSE = """\
The goal: the default generator (`reflective`) needs at most as many step calls for 80 % of what can
be gained as the better of the `gepa` package and DSPy's MIPROv2, median over landscapes.

The better of the two is `{other}`: {theirs}. The default: {ours}. So {outcome}. Half of what can be
gained takes the default {half} and `{other}` {other_half}. {paired}

Over the whole budget the default has {by_area} area ({area} against {other_area}); it ends at
{final} of what can be gained against {other_final}, and gains {verify} on the verify plans against
{other_verify}."""

LIST = """\
## All generators

`python -m self_improve.generators` lists them; with a name it prints the source, the defaults and
the adaptations."""

ADVICE = """\
The strengths of the algorithms, beyond these numbers:

- `operators` and `random` need no proposer model. They are slow but have no blind spots: they also
  try what a proposer never suggests, such as another number.
- `reflective`, `gepa` and `gepa-package` read descriptions of the faults, so they need metrics with
  informative spans. `reflective` declares one change per variant, as a reviewer of a pull request
  would like, merges changes that did better separately, and switches to the single edits of
  `operators` when the proposer's ideas gain nothing.
- `opro`, `evoprompt-ga`, `evoprompt-de` and `promptbreeder` maintain a population or a trajectory
  and need many cheap scores before they pay off; they suit small local models (`--small`).
- `miprov2`, `dspy-miprov2` and `dspy-bootstrap` put demonstrations into the prompt. They suit steps
  whose outputs are good examples, and make prompts longer; check what is copied from them.
- `spo` needs no metric, only a judge. Use it where no rubric exists.
- `ape` starts from [pairs](glossary.md#pair) of input and output; use it for steps without a usable
  prompt.
- `textgrad` and `promptagent` make several proposer calls per candidate: for steps whose calls cost
  much more than the proposer's."""

RESUME = """\
Each search was killed with SIGKILL after half of its step calls and resumed from its journal; the
same search also ran without a kill. Calls made again are step or proposer calls of the first
session that the second one repeated. A generator whose search ends earlier is not killed."""

SCOPE = """\
## Out of scope, and why

- **GRPO and other reinforcement learning with verifiable rewards**: they change a model's weights
  and need thousands of rollouts; this project changes the texts of a pipeline with models of other
  providers, using hundreds of cells.
- **RLHF**: the same, and it needs a reward model trained on many preferences.
- **Soft prompts** (prefix and prompt tuning): vectors in a model's embedding space. They need
  access to the model, cannot be read, reviewed or put into a pull request, and end with the model.
- **Prompt optimization together with fine-tuning** (as in BetterTogether): needs weights as well,
  and ties a prompt to one of them, while a pipeline's prompts must serve several models."""
