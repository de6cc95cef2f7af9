"""The plot of benchmarks/schedule.md."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from job.plots import COLOURS
from matplotlib import pyplot

from schedule.rows import WANTED, Row

matplotlib.use("svg")  # there is no screen

PER_RANK = 10  # products, of the cases that are drawn
LINES = {"static": ("static np.array_split", COLOURS["reference"]), "executor": ("MPICommExecutor", "#588157"),
         "eojob": ("eojob", COLOURS["exact"])}


def write(rows: Sequence[Row], path: Path) -> None:
    """Draw efficiency over ranks: lines are simulated, open markers measured."""
    path.parent.mkdir(exist_ok=True)
    matplotlib.rcParams.update({"svg.hashsalt": "eocluster", "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False})
    drawn = sorted((row for row in rows if row.per_rank == PER_RANK), key=lambda row: row.ranks)
    _, axes = pyplot.subplots(figsize=(6, 3.6))
    for way, (label, colour) in LINES.items():
        for measured, style in ((False, "o-"), (True, "o")):
            points = [(row.ranks, value) for row in drawn
                      if row.measured == measured and (value := row.middle(way)) is not None]
            axes.plot([ranks for ranks, _ in points], [value for _, value in points], style, color=colour,
                      label=None if measured else label, markersize=8 if measured else 4,
                      markerfacecolor="none" if measured else colour)
    axes.plot([], [], "o", color="black", markerfacecolor="none", markersize=8, label="measured")
    axes.axhline(WANTED[False, 1024, PER_RANK], color="black", linewidth=0.8, linestyle="--", label="wanted")
    axes.set_xscale("log", base=2)
    ranks = sorted({row.ranks for row in drawn})
    axes.set_xticks(ranks, [str(each) for each in ranks])
    axes.minorticks_off()
    axes.set_ylim(top=1.01)
    axes.set_xlabel(f"ranks, {PER_RANK} products for each")
    axes.set_ylabel("efficiency of sharing")
    axes.legend(frameon=False, ncols=2)
    pyplot.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close("all")
