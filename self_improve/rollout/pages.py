"""What people and machines are told of a step in production; texts of others are shown escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompt_lab.markup import plain_line
from self_improve.rollout import comparison
from self_improve.rollout.settings import Settings
from self_improve.rollout.state import Rollout, State

_LONGEST = 160


def facts(state: State, settings: Settings) -> dict[str, Any]:
    """Return where a step stands as plain JSON values."""
    trial = state.trial
    return {
        "step": state.step,
        "simulated": state.simulated,
        "current": state.current,
        "versions": {
            name: {k: v for k, v in version.to_row().items() if k != "texts"}
            for name, version in state.versions.items()
        },
        "trial": None if trial is None else _trial(state, trial),
        "looks": [] if state.last is None else [dict(look) for look in state.last.looks],
        "checks": len(state.checks),
        "last_check": state.checks[-1] if state.checks else None,
        "last_rollback": state.rollbacks[-1] if state.rollbacks else None,
        "last_drift": state.drifts[-1] if state.drifts else None,
        "marks": len(state.marks),
        "settings": (settings if trial is None else trial.settings).model_dump(mode="json"),
    }


def _trial(state: State, trial: Rollout) -> dict[str, Any]:
    groups = comparison.groups(state.marks_of(trial), trial.new, trial.stage + 1)
    return {
        "new": trial.new, "old": trial.old, "by": trial.by, "weight": trial.weight,
        "stage": trial.stage, "since": trial.stage_began.isoformat(),
        "plans_new": len(groups[-1].new), "plans_old": len(groups[-1].old),
    }  # fmt: skip


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return those facts as lines."""
    label = "SIMULATED " if told["simulated"] else ""
    trial, found = told["trial"], []
    if trial is not None:
        found.append(
            f"{label}{told['step']}: {trial['new']} at {trial['weight']:g} % against "
            f"{trial['old']}, {trial['plans_new']} and {trial['plans_old']} plans with "
            f"{trial['by']} in this stage"
        )
    else:
        found.append(f"{label}{told['step']}: {told['current'] or 'nothing'} in production")
    found += [
        f"  at {look['weight']:g} %: {look['word']}, {look['action']}: {look['told']}"
        for look in told["looks"]
    ]
    check, back, drift = told["last_check"], told["last_rollback"], told["last_drift"]
    if check is not None:
        found.append(f"  checked {check['at']}: {check['finding']}: {check['told']}")
    if back is not None:
        reason = plain_line(str(back["reason"]), most=_LONGEST)
        found.append(f"  taken back {back['at']} from {back['from']} to {back['to']}: {reason}")
    if drift is not None:
        found.append(f"  drift check {drift['at']}: {drift['told']}")
    return found


def drift_lines(row: Mapping[str, Any]) -> list[str]:
    """Return what came of a drift check as lines."""
    found = [str(row["told"])]
    for model in row["models"]:
        reasons = [*model["reasons"], *(f"missing: {told}" for told in model["missing"])]
        told = plain_line("; ".join(reasons) or "nothing has changed", most=4 * _LONGEST)
        found.append(f"  {model['model']}: {model['finding']}, {model['pairs']} pairs: {told}")
    return found
