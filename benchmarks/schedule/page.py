"""benchmarks/schedule.md."""

import textwrap
import time
from collections.abc import Sequence

from job import session
from job.results import table

from schedule.rows import Row
from schedule.workload import Costs

_HEADER = ["", "ranks", "products", "static `np.array_split`", "MPICommExecutor", "**eojob**", "wanted", "",
           "next bound at once", "next bound at the end", "best possible"]
_VERSIONS = ("Python", "numpy", "Open MPI", "mpi4py")
_WAYS = """\
*eojob*: largest first, to the rank that asks; a rank asks for its next product when it begins the last third of the
present one, so that the next is fetched meanwhile. The two columns beside it ask when the present one is begun, and
when it is ended (then nothing is fetched ahead). *static* (in the archive's order) and *MPICommExecutor* (largest
first as well, but one rank only deals out) are simulated with fetching and questions free of cost, so that only the
sharing is compared. *best possible*: no order can be quicker than the ideal, or than the longest single product."""


def page(rows: Sequence[Row], costs: Costs, scale: float, service: str, command: str) -> str:
    """The results as Markdown.

    Args:
        scale: what the measured products slept of their seconds.
        service: where the time of a question is from.
    """
    versions = session.versions()
    parts = ["# Sharing products over many ranks", f"""\
Written on {time.strftime('%Y-%m-%d')} by `{command}` ([benchmarks/schedule](schedule)): {session.machine()},
{', '.join(f'{name} {versions[name]}' for name in _VERSIONS)}."""]
    parts += [_simulated(costs, len(row.runs), service) for row in [row for row in rows if not row.measured][:1]]
    parts += [_measured(row, costs, scale) for row in rows if row.measured]
    paragraphs = [textwrap.fill(part, 120, break_long_words=False, break_on_hyphens=False) for part in [*parts, _WAYS]]
    return "\n\n".join([*paragraphs[:-1], table(_HEADER, [_cells(row) for row in rows]),
                        "![efficiency over ranks](plots/schedule.svg)", paragraphs[-1]]) + "\n"


def _simulated(costs: Costs, seeds: int, service: str) -> str:
    return f"""\
*Simulated*, with `eojob.schedule.Deal` and `eojob.catalogue.largest_first` themselves. Efficiency is the ideal time
(all work divided by all ranks) over the time until the last rank has ended; medians over {seeds} seeds, in brackets
their range. Sizes are lognormal, 50 to 900 MB a product, of which {costs.needed:.0%} are needed. A product costs
{costs.seconds_per_mb} s per MB (± {costs.spread:.0%}) and {costs.overhead} s; a rank fetches {costs.rate:.0f} MB/s.
Rank 0 takes {costs.service * 1e6:.0f} µs per question ({service}), and each side looks for messages every
{costs.poll * 1e3:.0f} ms."""


def _measured(row: Row, costs: Costs, scale: float) -> str:
    return f"""\
*Measured*, with {row.ranks} ranks of `mpirun` on this machine and `eojob.schedule.Dealer` and `mpi4py.futures`
themselves. Products are those of the simulation's first seed and sleep for {scale:g} of their seconds, where real ones
are decoded; nothing is fetched, so no rank waits for its first product as it does when simulated. Efficiency is all
the seconds that were to be slept over those of all ranks, from a common start until the last one has ended; medians
over {len(row.runs)} runs of each way, in an order that alternates, in brackets their range. The
{costs.poll * 1e3:.0f} ms between two looks for messages, and what starting and ending take, are not scaled with the
products: the scale makes *eojob* look slightly worse, and never better."""


def _cells(row: Row) -> list[object]:
    values, median, wanted = [run["eojob"] for run in row.runs], row.middle("eojob"), row.wanted()
    met = "" if wanted is None or median is None else "met" if median >= wanted else "**not met**"
    return ["measured" if row.measured else "simulated", row.ranks, row.ranks * row.per_rank, _number(row, "static"),
            _number(row, "executor"), f"**{_number(row, 'eojob')}** ({min(values):.3f} to {max(values):.3f})",
            "" if wanted is None else f"≥ {wanted}", met,
            *(_number(row, way) for way in ("at once", "at the end", "best"))]


def _number(row: Row, way: str) -> str:
    value = row.middle(way)
    return "" if value is None else f"{value:.3f}"
