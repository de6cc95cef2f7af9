"""The plots of benchmarks/RESULTS.md."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
from matplotlib import pyplot

from job import figures
from job.figures import Session, Summary
from job.network import PROFILES

matplotlib.use("svg")  # there is no screen

COLOURS = {"exact": "#2a6f97", "wavelet": "#e09f3e", "reference": "#8d99ae"}
# Phases that follow each other and make up a product's time. What runs beside those of other products is left out.
STACK = {"wait": "#c1121f", "decode": "#2a6f97", "write": "#e09f3e"}
REST = "#ced4da"


def write(sessions: Sequence[Session], folder: Path) -> None:
    """Draw all plots into `folder`."""
    folder.mkdir(exist_ok=True)
    matplotlib.rcParams.update({"svg.hashsalt": "eocluster", "font.size": 9, "axes.spines.top": False,
                                "axes.spines.right": False})
    _ratio(sessions, folder / "ratio.svg")
    _phases(max(sessions, key=lambda each: len(each["groups"])), folder / "phases.svg")


def _save(path: Path) -> None:
    pyplot.savefig(path, metadata={"Date": None}, bbox_inches="tight")
    pyplot.close("all")


def _ratio(sessions: Sequence[Session], path: Path) -> None:
    """Times faster than the reference, one bar for each number of ranks; dots are single rounds."""
    figure, axes = pyplot.subplots(figsize=(8, 3.6))
    places: list[int] = []
    labels: list[str] = []
    for method in ("exact", "wavelet"):
        for session in sessions:
            for profile, network in PROFILES.items():
                summary = Summary(session, profile)
                median = summary.ratio(method)
                if median is None:
                    continue
                place = len(places)
                places.append(place)
                labels.append(f"{network.name}\n{method}, {session['ranks']} ranks, {session['products']} products")
                axes.barh(place, median, color=COLOURS[method])
                singles = [value for group in summary.groups if (value := figures.ratio(group, method)) is not None]
                axes.plot(singles, [place] * len(singles), "k.", markersize=4)
                axes.annotate(f" {median:.2f} x", (max([median, *singles]), place), va="center")
    axes.axvline(1, color="black", linewidth=0.8)
    axes.margins(x=0.12)
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlabel("times faster than the reference (dots: single rounds)")
    figure.set_figheight(1 + 0.5 * max(3, len(places)))
    _save(path)


def _phases(session: Session, path: Path) -> None:
    """Bars of the seconds of a product by phase; what a rank waits, not what its threads fetch meanwhile."""
    figure, axes = pyplot.subplots(figsize=(8, 3.6))
    labels: list[str] = []
    for profile, network in PROFILES.items():
        summary = Summary(session, profile)
        for method in COLOURS:
            total = summary.of(method, lambda run: figures.phase(run, "total"))
            if total is None:
                continue
            left = 0.0
            for name, colour in STACK.items():
                seconds = summary.of(method, partial(figures.phase, name=name))
                axes.barh(len(labels), seconds or 0.0, left=left, color=colour, label=name if not labels else None)
                left += seconds or 0.0
            axes.barh(len(labels), max(0.0, total - left), left=left, color=REST, label="rest" if not labels else None)
            axes.annotate(f" {max(total, left):.1f} s", (max(total, left), len(labels)), va="center")
            labels.append(f"{network.name}\n{method}")
    axes.margins(x=0.1)
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlabel(f"seconds of a product, {session['ranks']} ranks, {session['products']} products")
    axes.legend(ncols=4, loc="lower center", bbox_to_anchor=(0.4, 1.0), frameon=False)
    figure.set_figheight(1.2 + 0.45 * max(3, len(labels)))
    _save(path)
