"""Draws how often planted damages are rejected, for docs/evaluator.md."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from tools.planted import COUNTS, DAMAGES, SHARES, Power


def picture(results: Sequence[Power]) -> str:
    """Return the power as SVG; the same numbers give the same bytes."""
    settings = {"svg.hashsalt": "plumbline", "svg.fonttype": "none", "font.size": 9.0}
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=(9, 5))
        for index, damage in enumerate(DAMAGES):
            axes = figure.add_subplot(2, 3, index + 1)
            for count in COUNTS:
                points = [one for one in results if (one.damage, one.pairs) == (damage, count)]
                axes.plot(
                    [one.share for one in points], [one.rejected for one in points], marker="o",
                    markersize=3, label=f"{count} pairs",
                )  # fmt: skip
            axes.set_title(damage)
            axes.set_ylim(-0.05, 1.05)
            axes.set_xscale("log")
            axes.set_xticks(SHARES, [f"{share:.0%}" for share in SHARES], minor=False)
            axes.minorticks_off()
            if index % 3 == 0:
                axes.set_ylabel("share of REJECT")
            if index >= 3:
                axes.set_xlabel("share of items damaged")
            if index == 0:
                axes.legend(frameon=False, fontsize=8)
        figure.tight_layout()
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()
