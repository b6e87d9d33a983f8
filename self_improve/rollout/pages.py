"""The state of a step in production as JSON and as lines; foreign texts are escaped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from model_gateway.counts import counted
from prompt_lab.markup import plain_line
from self_improve.rollout import comparison
from self_improve.rollout.settings import Settings
from self_improve.rollout.state import Rollout, State

_LONGEST = 160


def facts(state: State, settings: Settings) -> dict[str, Any]:
    """Return the state of a step as plain JSON values."""
    rollout = state.rollout
    return {
        "step": state.step,
        "simulated": state.simulated,
        "current": state.current,
        "versions": {
            name: {k: v for k, v in version.to_row().items() if k != "texts"}
            for name, version in state.versions.items()
        },
        "trial": None if rollout is None else _rollout(state, rollout),
        "looks": [] if state.last is None else [dict(look) for look in state.last.looks],
        "checks": len(state.checks),
        "last_check": state.checks[-1] if state.checks else None,
        "last_rollback": state.rollbacks[-1] if state.rollbacks else None,
        "last_drift": state.drifts[-1] if state.drifts else None,
        "marks": len(state.marks),
        "settings": (settings if rollout is None else rollout.settings).model_dump(mode="json"),
    }


def _rollout(state: State, rollout: Rollout) -> dict[str, Any]:
    groups = comparison.groups(state.marks_of(rollout), rollout.new, rollout.stage + 1)
    return {
        "new": rollout.new, "old": rollout.old, "by": rollout.by, "weight": rollout.weight,
        "stage": rollout.stage, "since": rollout.stage_began.isoformat(),
        "plans_new": len(groups[-1].new), "plans_old": len(groups[-1].old),
    }  # fmt: skip


def lines(facts: Mapping[str, Any]) -> list[str]:
    """Return those facts as lines."""
    label = "SIMULATED " if facts["simulated"] else ""
    rollout, lines = facts["trial"], []
    if rollout is not None:
        lines.append(
            f"{label}{facts['step']}: {rollout['new']} at {rollout['weight']:g} % against "
            f"{rollout['old']}, {rollout['plans_new']} and {counted(rollout['plans_old'], 'plan')} "
            f"with {rollout['by']} in this stage"
        )
    else:
        lines.append(f"{label}{facts['step']}: {facts['current'] or 'nothing'} in production")
    lines += [
        f"  at {look['weight']:g} %: {look['word']}, {look['action']}: {look['told']}"
        for look in facts["looks"]
    ]
    check, back, drift = facts["last_check"], facts["last_rollback"], facts["last_drift"]
    if check is not None:
        lines.append(f"  checked {check['at']}: {check['finding']}: {check['told']}")
    if back is not None:
        reason = plain_line(str(back["reason"]), most=_LONGEST)
        lines.append(f"  rolled back {back['at']} from {back['from']} to {back['to']}: {reason}")
    if drift is not None:
        lines.append(f"  drift check {drift['at']}: {drift['told']}")
    return lines


def drift_lines(row: Mapping[str, Any]) -> list[str]:
    """Return the result of a drift check as lines."""
    lines = [str(row["told"])]
    for model in row["models"]:
        reasons = [*model["reasons"], *(f"missing: {what}" for what in model["missing"])]
        text = plain_line("; ".join(reasons) or "nothing has changed", most=4 * _LONGEST)
        lines.append(f"  {model['model']}: {model['finding']}, {model['pairs']} pairs: {text}")
    return lines
