"""The benchmark's command line: measures in pairs, round by round, and writes benchmarks/RESULTS.md and its plots.

    PYTHONPATH=benchmarks:lab:files python -m job [--rounds 3] [--ranks 2] [--products 12]

In each round our job ("exact", "wavelet") and the tutorial's workflow ("reference") run through each network one after
the other, in an order that alternates. The decoder alone is measured with half of the bands right before each run of
ours and with the other half right after it, as a machine that is shared is not equally fast all the time. Results are
kept in .cache/bench after each such group: the same command goes on where it was stopped, and more rounds can be
added. Run it on an idle machine.
"""

import argparse
import os
import shlex
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from sample_archive import cli as sample_archive
from sample_archive.errors import SampleArchiveError

from job import limit, results, runs, session, store
from job.figures import Group, Session, ratio
from job.network import PROFILES

ARCHIVE = runs.ROOT / ".cache" / "sample_archive"
PREFIX = "Sentinel-2/MSI/L1C/2022/10/01/"
_DAY = "*_20221001T*_N0400_*"
METHODS = ("exact", "wavelet")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is missing and report; the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # store, proxy and ranks are ended then, too
    try:
        if options.fresh:
            session.path(options.size, options.products, options.ranks).unlink(missing_ok=True)
        if not options.report:
            _measure(options)
        results.write(session.all_of(options.size))
    except (RuntimeError, SampleArchiveError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    print(f"written to {results.REPORT}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m job", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--rounds", type=int, default=3, help="how often each pair is measured (%(default)s)")
    parser.add_argument("--ranks", type=int, default=cores, help="MPI ranks (default: the cores, %(default)s)")
    parser.add_argument("--products", type=int, default=12, help="how many, at most 12 (%(default)s)")
    parser.add_argument("--size", type=int, default=10980, help="side in pixels at 10 m (%(default)s; 1920 is a try)")
    parser.add_argument("--networks", type=_names(tuple(PROFILES)), default=tuple(PROFILES), metavar="A,B",
                        help=f"of {','.join(PROFILES)} (default: all)")
    parser.add_argument("--methods", type=_names(METHODS), default=METHODS, metavar="A,B",
                        help="of exact,wavelet, each against the reference (default: both)")
    parser.add_argument("--fresh", action="store_true", help="throw away what was measured with these parameters")
    parser.add_argument("--report", action="store_true", help="measure nothing, write the report")
    return parser


def _names(known: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    def convert(text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        unknown = [name for name in names if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(known)}")
        return names
    return convert


def _measure(options: argparse.Namespace) -> None:
    archive = ARCHIVE / str(options.size)
    products = _products(archive, options.size, options.products)
    state = session.load(options.size, options.products, options.ranks, shlex.join(["python", "-m", "job",
                                                                                    *sys.argv[1:]]))
    with store.running(session.CACHE / f"store-{options.size}", archive) as server:
        task = runs.Task(server, PREFIX, options.products, options.ranks)
        for number in range(options.rounds):
            for profile in options.networks:
                _group(state, number, profile, options.methods, task, products)


def _products(archive: Path, size: int, count: int) -> list[Path]:
    """The first products of the day, in the order of their names; made when they are not there."""
    def found() -> list[Path]:
        return sorted((archive / PREFIX).glob("*.SAFE"))[:count]
    if len(found()) < count:
        print("making the products, which is done once and takes about half an hour", flush=True)
        if sample_archive.main(["build", "--out", str(archive), "--size", str(size), "--only", _DAY]):
            raise RuntimeError("the products could not be made")
    if len(found()) < count:
        raise RuntimeError(f"--products {count}: the archive's day has {len(found())}; ask for fewer")
    return found()


def _group(state: Session, number: int, profile: str, methods: Sequence[str], task: runs.Task,
           products: Sequence[Path]) -> None:
    """Run all methods through one network, unless this round has them; a group that lacks one is made anew."""
    found = [each for each in state["groups"] if (each["round"], each["profile"]) == (number, profile)]
    if found and {*methods, "reference"} <= {each["method"] for each in found[0]["runs"]}:
        return
    order = [methods[0], "reference", *methods[1:]]
    group: Group = {"round": number, "profile": profile, "commit": session.commit(), "runs": []}
    with tempfile.TemporaryDirectory(prefix="runs-", dir=session.CACHE) as name:
        folder = Path(name)
        for method in order if number % 2 == 0 else order[::-1]:
            run = _run(method, task, profile, folder / method, products if method in methods else ())
            group["runs"].append(run)
            print(f"round {number + 1}, {PROFILES[profile].name}: {method} {run['wall']:.1f} s, the decoder alone"
                  f" {sum(run['limit'].values()) / task.ranks:.1f} s", flush=True)
        _compare(group, folder, methods)
    state["groups"] = [each for each in state["groups"] if each not in found] + [group]
    session.save(state)
    for method in methods:
        print(f"round {number + 1}, {PROFILES[profile].name}: {method} {ratio(group, method):.2f} x", flush=True)


def _run(method: str, task: runs.Task, profile: str, folder: Path, products: Sequence[Path]) -> runs.Run:
    """Run one method, and decode the bands of `products` alone, half of them before and half after it."""
    tasks = limit.all_tasks(products, runs.BANDS)
    before = limit.measure(tasks[::2], task.ranks, method)
    run = runs.run(method, task, PROFILES[profile], folder)
    after = limit.measure(tasks[1::2], task.ranks, method)
    run["limit"] = {each.stem: before.get(each.stem, 0) + after.get(each.stem, 0) for each in products}
    return run


def _compare(group: Group, folder: Path, methods: Sequence[str]) -> None:
    """Raise RuntimeError unless the exact pictures are the reference's; note how far the approximate ones are off."""
    names = [product["product"] for product in group["runs"][0]["products"]]
    for method in methods:
        rmse = runs.difference(folder / method / "out", folder / "reference" / "out", names)
        if method == "exact" and rmse:
            raise RuntimeError(f"the exact pictures differ from the reference's (RMSE {rmse} DN); nothing is recorded")
        if method == "wavelet":
            group["rmse"] = rmse
