"""MIPROv2 in its medium setting: 12 instructions a text and as many demonstration sets.

Source: as miprov2.py.

Defaults: 12 candidates of each variable and with that more trials; everything else is as in
miprov2.py, what was adapted and what --small does as well.

Needs: a proposer for one round of calls, and optuna.

Costs: 11 calls a text, 18 trials on a third of the cases (with one searched text), and all
cases after every fifth.
"""

from __future__ import annotations

from self_improve.generators.miprov2 import MiproV2


class MiproV2Medium(MiproV2):
    """12 candidates."""

    name = "miprov2-medium"
    setting = "medium"


GENERATOR = MiproV2Medium
