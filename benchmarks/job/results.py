"""benchmarks/RESULTS.md: what was measured, beside what is wanted."""

import os
from collections.abc import Iterable, Sequence
from functools import partial

from job import figures, plots
from job.figures import Session, Summary
from job.network import PROFILES
from job.runs import ROOT

REPORT = ROOT / "benchmarks" / "RESULTS.md"
PHASES = ("list", "fetch", "wait", "decode", "write", "finish", "quicklook", "total")
METHODS = ("exact", "wavelet", "reference")

# (method, network): times faster than the reference
RATIOS = {("exact", "connection"): 1.65, ("exact", "quota"): 2.1, ("exact", "gigabit"): 1.35,
          ("wavelet", "connection"): 5.8, ("wavelet", "quota"): 7.2, ("wavelet", "gigabit"): 4.8}
LIMIT_SHARE = 0.97       # exact
EFFICIENCY = (4, 0.97)   # ranks, exact and wavelet
MEMORY = 400e6           # bytes of a rank, exact, full size
FULL_SIZE = 10980

_DEFINITIONS = """\
- **Ratio**: wall seconds of `mpirun` as a whole, the reference's over ours, of runs that followed each other in one
  round; the median over the rounds. Exact results were compared with the reference's pixel by pixel, and are equal.
- **At most**: the ratio of a job whose ranks did nothing but decode, all of them to the very end: the reference's
  seconds over the decode limit's, shared by the ranks. No job with this decoder on these cores can be above it.
- **Decode limit**: the decoder alone on the same bands, on local disk, with as many processes as ranks all the time
  busy, half of the bands right before the run and half right after it. **Share**: these seconds over the time from each
  rank's first product being there (its start and the time that the rank waited for it) to the rank's last result, all
  ranks together; a rank whose neighbour has ended uses its core, too. **To the end**: the same, but every rank's time
  counts until the last result of all. **In the decoder**: the time that the ranks themselves were in it, over the same
  time; it does not show what the job's other threads take from the decoder, nor depend on how fast the machine was
  minutes before. A share above 100 % says that it was slower while the decoder was measured than during the run.
- **Network's share**: the seconds in which ranks waited for the network over the seconds of their products, without
  each rank's first product.
- **Scheduling**: the seconds in which ranks had a product in hand over all their seconds, from the first start to
  the last end. **At best**: with products that take as long, the largest first; few products leave ranks idle at the
  end in any order.
- **Rigging**: the CPU time of the proxy and of the S3 server as a share of the cores' time. It is inside all
  seconds here, and elsewhere in a cluster. **Without it**: the share of the limit that the cores had left.
- **Reference**: `benchmarks/job/reference.py`. It decodes by the same engine as ours, where the tutorial uses SNAP."""


def write(sessions: Sequence[Session]) -> None:
    """Write the page and its plots. Raises RuntimeError when nothing was measured."""
    if not sessions:
        raise RuntimeError("nothing has been measured yet; run the benchmark first")
    plots.write(sessions, ROOT / "benchmarks" / "plots")
    REPORT.write_text(page(sessions), encoding="utf-8")


def page(sessions: Sequence[Session]) -> str:
    """The results as Markdown."""
    newest = sessions[-1]
    commits = sorted({group["commit"] for session in sessions for group in session["groups"]})
    size = f"{newest['size']} x {newest['size']} pixels" + (" (full size)" if newest["size"] == FULL_SIZE else
                                                              ", a try: the targets are for full size, 10980")
    parts = ["# The job against the tutorial's workflow, and against the decode limit",
             f"Written by `python -m job` ([benchmarks/job](job)). Products of {size}. Medians over the rounds.",
             "## Against the reference\n\n" + _ratios(sessions) + "\n\n![ratio to the reference](plots/ratio.svg)",
             "## Against the decode limit\n\n" + _limits(sessions),
             "## Scheduling\n\n" + _scheduling(sessions) + "\n\nMore products and more ranks, with products"
             " that sleep, and simulated: [schedule.md](schedule.md).\n\n![efficiency over ranks](plots/schedule.svg)",
             "## A product\n\n" + _products(sessions) + "\n\nSeconds by phase, the mean of the products. Our job"
             " fetches and finishes (the quicklook is a part of it) beside the decoding of other products:\n\n"
             + _phases(sessions) + "\n\n![phases of a product](plots/phases.svg)",
             "## What the figures mean\n\n" + _DEFINITIONS,
             "## Machine, versions, command\n\n" + "\n".join(
                 f"- {session['ranks']} ranks, {session['products']} products: `{session['command']}` on"
                 f" {session['machine']}; {', '.join(f'{k} {v}' for k, v in session['versions'].items())}"
                 for session in sessions) + f"\n- commit {', '.join(commits)} (+: with changes not committed)"]
    return "\n\n".join(parts) + "\n"


def _each(sessions: Sequence[Session]) -> Iterable[tuple[Session, str, Summary]]:
    for session in sessions:
        for profile in PROFILES:
            summary = Summary(session, profile)
            if summary.groups:
                yield session, profile, summary


def _ratios(sessions: Sequence[Session]) -> str:
    rows = []
    for session, profile, summary in _each(sessions):
        for method in ("exact", "wavelet"):
            found, wanted = summary.ratio(method), RATIOS[method, profile]
            if found is not None:
                rows.append([session["ranks"], session["products"], PROFILES[profile].name, method,
                             f"**{found:.2f}**", f"≥ {wanted}", _met(found >= wanted),
                             _number(summary.most(method), 2),
                             _number(summary.of(method, lambda run: run["wall"]), 1),
                             _number(summary.of("reference", lambda run: run["wall"]), 1), len(summary.groups)])
    return table(["ranks", "products", "network", "method", "times faster", "wanted", "", "at most", "ours, s",
                  "reference, s", "rounds"], rows)


def _limits(sessions: Sequence[Session]) -> str:
    rows, cores = [], os.cpu_count() or 1
    for session, profile, summary in _each(sessions):
        for method in ("exact", "wavelet"):
            found = summary.limit_share(method)
            if found is not None:
                wanted = method == "exact"
                rows.append([session["ranks"], session["products"], PROFILES[profile].name, method, f"**{found:.1%}**",
                             f"≥ {LIMIT_SHARE:.0%}" if wanted else "", _met(found >= LIMIT_SHARE) if wanted else "",
                             _percent(summary.limit_share(method, to_the_end=True)),
                             _percent(summary.of(method, figures.decoder_share)),
                             _percent(summary.of(method, figures.network_share)),
                             _percent(summary.of(method, lambda run: figures.rigging_share(run, cores))),
                             _percent(summary.of(method, lambda run: figures.limit_share_of_rest(run, cores)))])
    return table(["ranks", "products", "network", "method", "share of the limit", "wanted", "", "to the end",
                  "in the decoder", "network's share", "rigging", "without it"], rows)


def _scheduling(sessions: Sequence[Session]) -> str:
    rows = []
    for session, profile, summary in _each(sessions):
        for method in METHODS:
            found = summary.efficiency(method)
            if found is not None:
                ranks = session["ranks"]
                best = summary.of(method, partial(figures.best_efficiency, ranks=ranks))
                wanted = method != "reference" and ranks == EFFICIENCY[0]
                rows.append([ranks, session["products"], PROFILES[profile].name, method, f"**{found:.3f}**",
                             _number(best, 3),
                             f"≥ {EFFICIENCY[1]}" if wanted else "", _met(found >= EFFICIENCY[1]) if wanted else ""])
    return table(["ranks", "products", "network", "method", "efficiency", "at best", "wanted", ""], rows)


def _products(sessions: Sequence[Session]) -> str:
    rows = []
    for session, profile, summary in _each(sessions):
        for method in METHODS:
            through = summary.of(method, lambda run: run["passed"].get("bytes", 0) / len(run["products"]) / 1e6)
            if through is None:
                continue
            memory = summary.of(method, figures.peak_memory)
            wanted = method == "exact" and memory is not None
            rows.append([session["ranks"], session["products"], PROFILES[profile].name, method, f"{through:.1f}",
                         _number(summary.of(method, lambda run: run["passed"].get("requests", 0)
                                            / len(run["products"])), 1),
                         _number(summary.of(method, lambda run: sum(
                             each["output_bytes"] for each in run["products"]) / len(run["products"]) / 1e6), 1),
                         _number(memory and memory / 1e6, 0), f"< {MEMORY / 1e6:.0f}" if wanted else "",
                         _met(memory < MEMORY) if wanted and memory is not None else "",
                         _number(summary.rmse(), 1) if method == "wavelet" else "0" if method == "exact" else ""])
    return table(["ranks", "products", "network", "method", "MB through the network", "requests", "MB written",
                  "peak memory of a rank, MB", "wanted", "", "RMSE to First, DN"], rows)


def _phases(sessions: Sequence[Session]) -> str:
    rows = []
    for session, profile, summary in _each(sessions):
        for method in METHODS:
            seconds = phases(summary, method)
            if any(value is not None for value in seconds.values()):
                rows.append([session["ranks"], session["products"], PROFILES[profile].name, method,
                             *(_number(value, 2) for value in seconds.values())])
    return table(["ranks", "products", "network", "method", *PHASES], rows)


def phases(summary: Summary, method: str) -> dict[str, float | None]:
    """Median seconds by phase."""
    return {name: summary.of(method, partial(figures.phase, name=name)) for name in PHASES}


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; cells with numbers to the right."""
    if not rows:
        return "Not measured."
    right = [all(str(row[i]).strip("*≥<% ").replace(".", "").isdigit() or not row[i] for row in rows)
             for i in range(len(header))]
    lines = [header, ["---:" if each else "---" for each in right], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _met(met: bool) -> str:
    return "met" if met else "**not met**"
