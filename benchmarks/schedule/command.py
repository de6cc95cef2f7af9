"""The command line: measures, simulates, and writes benchmarks/schedule.md and its plot.

    PYTHONPATH=benchmarks:lab:files python -m schedule
    PYTHONPATH=benchmarks:lab:files python -m schedule --case 1024x98 --measure none --output -

Cases are ranks x products per rank. Run it on an idle machine.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from eojob import schedule
from job.runs import ROOT

from schedule import measured, plots, service, simulation
from schedule.page import page
from schedule.rows import Row
from schedule.workload import Costs

REPORT = ROOT / "benchmarks" / "schedule.md"
CASES = ((4, 10), (16, 10), (64, 10), (256, 10), (1024, 4), (1024, 10), (1024, 98))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report; the exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    try:
        seconds, source = _service(options.service)
        costs = Costs(options.seconds_per_mb, options.spread, options.overhead, options.rate, options.needed,
                      options.bands, seconds, schedule._POLL)
        rows = []
        if options.measure:
            ranks, per_rank = options.measure
            rows.append(Row(True, ranks, per_rank, measured.measure(ranks, per_rank, costs, options.scale)))
        rows += [_simulate(ranks, per_rank, costs, options.seeds) for ranks, per_rank in options.case or CASES]
        text = page(rows, costs, options.scale, source, shlex.join(["python", "-m", "schedule", *given]))
        if options.output == "-":
            print(text, end="")
            return 0
        report = Path(options.output)
        plots.write(rows, report.parent / "plots" / "schedule.svg")
        report.write_text(text, encoding="utf-8")
    except (RuntimeError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"written to {report}")
    return 0


def _service(given: float | None) -> tuple[float, str]:
    """Seconds of a question, and where they are from."""
    if given is not None:
        return given, "given, not measured here"
    seconds = service.measure()
    print(f"a question takes {seconds * 1e6:.0f} µs", file=sys.stderr, flush=True)
    return seconds, (f"measured with mpi4py between two processes on this machine; the best of {service.REPEATS}"
                     " repeats, as other work only adds to it")


def _simulate(ranks: int, per_rank: int, costs: Costs, seeds: int) -> Row:
    row = Row(False, ranks, per_rank, [simulation.efficiencies(ranks, per_rank, costs, seed) for seed in range(seeds)])
    print(f"simulated, {ranks} ranks, {ranks * per_rank} products: eojob {row.middle('eojob'):.3f}", file=sys.stderr,
          flush=True)
    return row


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m schedule", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", type=_case, metavar="RANKSxPRODUCTS",
                        help=f"default {', '.join(f'{ranks}x{each}' for ranks, each in CASES)}")
    parser.add_argument("--seeds", type=_count, default=5)
    parser.add_argument("--seconds-per-mb", type=positive_number, default=0.145, help="decoding (default: %(default)s)")
    parser.add_argument("--spread", type=float, default=0.03, help="of it over products (default: %(default)s)")
    parser.add_argument("--overhead", type=float, default=1.0, help="s per product (default: %(default)s)")
    parser.add_argument("--rate", type=positive_number, default=40.0, help="MB/s a rank fetches (default: %(default)s)")
    parser.add_argument("--needed", type=positive_number, default=0.42,
                        help="share of a product's bytes (default: %(default)s)")
    parser.add_argument("--bands", type=_count, default=3)
    parser.add_argument("--service", type=float, help="s per question (default: measured)")
    parser.add_argument("--measure", type=_measured, default="4x10", metavar="RANKSxPRODUCTS",
                        help="with sleeping products under mpirun, or none (default: %(default)s)")
    parser.add_argument("--scale", type=positive_number, default=0.1, help="of a product's seconds slept (%(default)s)")
    parser.add_argument("--output", default=str(REPORT), help="- for the screen (default: %(default)s)")
    return parser


def _case(text: str) -> tuple[int, int]:
    ranks, _, per_rank = text.partition("x")
    if not (ranks.isdigit() and per_rank.isdigit() and int(ranks) and int(per_rank)):
        raise argparse.ArgumentTypeError(f"{text!r}: two numbers are needed, as in 64x10")
    return int(ranks), int(per_rank)


def _measured(text: str) -> tuple[int, int] | None:
    if text == "none":
        return None
    case = _case(text)
    if case[0] < 2:
        raise argparse.ArgumentTypeError(f"{text!r}: there is nothing to share with one rank; give 2 or more, or none")
    return case


def positive_number(text: str) -> float:
    """An option's value; argparse names this function where the text is no number."""
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return number


def _count(text: str) -> int:
    if not (text.isdigit() and int(text)):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
