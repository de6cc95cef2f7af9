"""A job from its file to its ledger: rank 0 lists, all ranks share the products, one fault stops one product only."""

import contextlib
import datetime
import os
import shutil
import sys
import tempfile
import time
import traceback
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, TypeVar, cast

from . import atomic, catalogue, engines, facade, geotiff, jobfile, ledger, quicklook, report, schedule, shutdown
from .catalogue import Entry
from .engines import Engine
from .errors import EojobError, ProductError
from .jobfile import Job
from .ledger import Record
from .store import Store
from .transfer import FetchedProduct

DONE, SOME_FAILED, NOT_STARTED = 0, 1, 2
Process = Callable[[Any, str], None]
T = TypeVar("T")

_LISTING_THREADS = 16
_LAST_PAUSE = 0.5  # s; mpirun kills all ranks as soon as one has gone, and the others still clean up


class Plan(NamedTuple):
    """What rank 0 tells the others."""

    run: str
    parameters: str
    todo: List[Entry]  # the largest first
    total: int         # with those that are done already


class _Rank(NamedTuple):
    """What a rank works with all along."""

    job: Job
    plan: Plan
    process: Process
    engine: Engine
    store: Store
    connections: int
    scratch: str
    number: int

    def label(self) -> str:
        return f"rank {self.number} {atomic.host()}"


def main(process: Process) -> None:
    """Run the job file named by the command line and exit; see `eojob.run`."""
    if len(sys.argv) != 2:
        print(f"usage: {os.path.basename(sys.argv[0])} JOB.json", file=sys.stderr)
        sys.exit(NOT_STARTED)
    try:
        comm = schedule.communicator()
    except EojobError as error:
        print(f"{atomic.host()}: {error}", file=sys.stderr)
        sys.exit(NOT_STARTED)
    try:
        code = run_job(process, sys.argv[1], os.path.abspath(sys.argv[0]), comm)
    except BaseException:  # for example, the ledger's disk is full; the other ranks would wait for this one for ever
        traceback.print_exc()
        print(f"{atomic.host()}: stopped; what is done stays done, start the job again for the rest", file=sys.stderr,
              flush=True)
        comm.Abort(SOME_FAILED)
    sys.exit(code)


def run_job(process: Process, job_path: str, script: Optional[str], comm: Any) -> int:
    """The job on all ranks of `comm`; the exit code, the same on each."""
    try:
        job = _on_all(comm, lambda: jobfile.load(job_path))
        connections = _share(job, comm.size)
        threads = min(_LISTING_THREADS, job.max_connections or _LISTING_THREADS)  # all others wait for the listing
        store = _on_all(comm, lambda: Store(job, max(connections, threads if comm.rank == 0 else 1)))
        engine = _on_all(comm, lambda: _checked_engine(job))
        _on_all(comm, lambda: _check_scratch(job))
        with contextlib.ExitStack() as stack:
            scratch = _on_all(comm, lambda: stack.enter_context(atomic.scratch_folder(job.scratch_dir)))
            stack.callback(engine.stop)
            _on_all(comm, lambda: engine.start(scratch))
            started = time.time()
            planned = _on_all(comm, lambda: _plan(job, store, script, comm.size, threads, engine.also_needed)
                              if comm.rank == 0 else None)
            plan: Plan = comm.bcast(planned)
            records = _work(_Rank(job, plan, process, engine, store, connections, scratch, comm.rank), comm)
    except _NotStartedError:
        return NOT_STARTED
    schedule.meet(comm)
    gathered = comm.gather(records)
    code = None
    if comm.rank == 0:
        failed = sorted((r for rank in gathered for r in rank if r["state"] == "failed"), key=lambda r: r["product"])
        code = SOME_FAILED if failed else DONE
        _finish(job, plan, failed, code, time.time() - started)
    exit_code: int = comm.bcast(code)
    return exit_code


class _NotStartedError(Exception):
    """A rank could not start; all know it, and rank 0 has said why."""


def _on_all(comm: Any, function: Callable[[], T]) -> T:
    """The result of `function` when it succeeds on every rank. Raises _NotStartedError on every rank otherwise."""
    value, fault = None, ""
    try:
        value = function()
    except (EojobError, OSError) as error:
        fault = str(error)
    if _any_fault(comm, fault):
        raise _NotStartedError
    return cast(T, value)


def _checked_engine(job: Job) -> Engine:
    engine = engines.load(job)
    engine.check()
    return engine


def _check_scratch(job: Job) -> None:
    try:
        os.makedirs(job.scratch_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=job.scratch_dir):
            pass
    except OSError as error:
        raise EojobError(f"scratch_dir: {job.scratch_dir} cannot be written ({error.strerror}); name a folder on each"
                         " node's own disk") from error
    atomic.clean_scratch(job.scratch_dir)


def _any_fault(comm: Any, fault: str) -> bool:
    """Whether a rank could not start; rank 0 says why, each reason once."""
    schedule.meet(comm)
    faults = [f for f in comm.allgather(fault and f"{atomic.host()}: {fault}") if f]
    if comm.rank == 0:
        by_reason: Dict[str, str] = {}
        for text in faults:
            by_reason.setdefault(text.split(": ", 1)[1], text)
        for text in by_reason.values():
            print(f"could not start: {text}", file=sys.stderr, flush=True)
    if faults:
        schedule.meet(comm)  # mpirun ends all ranks when the first has failed, and rank 0 has to have spoken by then
    return bool(faults)


def _share(job: Job, ranks: int) -> int:
    """The connections of one rank."""
    return job.connections if not job.max_connections else max(1, min(job.connections, job.max_connections // ranks))


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _slurm_job() -> Optional[str]:
    return os.environ.get("SLURM_JOB_ID")


def _plan(job: Job, store: Store, script: Optional[str], ranks: int, threads: int, also: Tuple[str, ...]) -> Plan:
    """List, leave out what the ledger says is done, and write run.json. On rank 0. Raises EojobError, OSError."""
    started = time.time()
    os.makedirs(job.output_dir, exist_ok=True)
    run = _now().replace("-", "").replace(":", "") + "-" + (_slurm_job() or str(os.getpid()))
    parameters = jobfile.parameters_hash(job, script)
    prefixes = catalogue.product_prefixes(store, job)
    done = {} if job.overwrite else {
        name: record for name, record in ledger.last_done(job.output_dir).items()
        if ledger.still_good(record, job.output_dir, parameters)}
    names = {prefix: prefix.split("/")[-2][:-len(".SAFE")] for prefix in prefixes}
    todo = catalogue.describe_all(store, [p for p in prefixes if names[p] not in done], job.bands, threads,
                                  also)
    skipped = [name for name in names.values() if name in done]
    plan = Plan(run, parameters, todo, len(prefixes))
    ledger.write_run(job.output_dir, {
        "run": run, "state": "running", "started": _now(), "started_epoch": started, "ended_epoch": None,
        "slurm_job_id": _slurm_job(), "ranks": ranks, "engine": job.engine, "parameters": parameters,
        "bands": list(job.bands), "resolution": job.resolution, "downsampling": job.downsampling,
        "endpoint_url": job.endpoint_url, "bucket": job.bucket, "prefix": job.prefix, "total": plan.total,
        "list_seconds": round(time.time() - started, 3),
        "products": [{"product": e.name, "bytes": e.size()} for e in todo] + [
            {"product": name, "bytes": 0} for name in skipped]})
    book = ledger.Ledger(job.output_dir, run, 0)
    for name in skipped:
        book.record({"product": name, "state": "skipped", "run": run, "parameters": parameters, "rank": 0,
                     "host": atomic.host(), "ended": _now(), "output": done[name]["output"],
                     "output_bytes": done[name]["output_bytes"], "done_in": done[name]["run"]})
    print(f"[rank 0 {atomic.host()}] {plan.total} products, {len(skipped)} done before, {len(todo)} to do,"
          f" {sum(e.size() for e in todo) / 1e6:.1f} MB to fetch, {ranks} rank(s), listed in"
          f" {time.time() - started:.1f} s", flush=True)
    return plan


def _work(rank: _Rank, comm: Any) -> List[Record]:
    """The products that this rank gets; their records."""
    job, results = rank.job, []
    atomic.clean_results(job.output_dir)
    book = ledger.Ledger(job.output_dir, rank.plan.run, rank.number)
    at_hand: List[str] = []  # the output that is being written
    with schedule.Counter(comm, len(rank.plan.todo)) as counter:
        clean_up = [rank.engine.abort, lambda: atomic.remove_partial(*at_hand),
                    lambda: shutil.rmtree(rank.scratch, ignore_errors=True),
                    lambda: _interrupted(rank), lambda: time.sleep(_LAST_PAUSE if comm.size > 1 else 0)]
        with shutdown.on_sigterm(clean_up), _activated(rank), geotiff.environment():
            while True:
                index = counter.next()
                if index is None:
                    break
                entry = rank.plan.todo[index]
                output = os.path.join(job.output_dir, entry.name + ".tif")
                at_hand[:] = [output, _picture(output)]
                record = _one_product(rank, entry, output)
                at_hand[:] = []
                book.record(record)
                results.append(record)
                print(_line(rank, index, record), flush=True)
    return results


@contextlib.contextmanager
def _activated(rank: _Rank) -> Iterator[None]:
    facade.activate(rank.job, rank.engine)
    try:
        yield
    finally:
        facade.activate(None, None)


def _interrupted(rank: _Rank) -> None:
    if rank.number == 0:
        _close_run(rank.job, rank.plan.run, "interrupted", None)
    print(f"[{rank.label()}] ended by SIGTERM; what is done stays done, start the job again for the rest", flush=True)


def _picture(output: str) -> str:
    return os.path.splitext(output)[0] + ".png"


def _one_product(rank: _Rank, entry: Entry, output: str) -> Record:
    """Fetch, process and publish one product; its record, whatever happens."""
    started = time.time()
    record: Record = {
        "product": entry.name, "run": rank.plan.run, "rank": rank.number, "host": atomic.host(), "pid": os.getpid(),
        "slurm_job_id": _slurm_job(), "parameters": rank.plan.parameters, "started": _now(), "bytes": 0,
        "seconds": {"list": entry.seconds}}
    try:
        _process_product(rank, entry, output, record)
        record["state"] = "done"
    except (Exception, SystemExit) as error:  # one product's failure never stops the others
        record["state"] = "failed"
        record["error"] = _reason(error)
        record["traceback"] = traceback.format_exc()
    finally:
        atomic.remove_partial(output, _picture(output))
        shutil.rmtree(os.path.join(rank.scratch, entry.name + ".SAFE"), ignore_errors=True)
    record["seconds"]["total"] = time.time() - started
    record["seconds"] = {phase: round(seconds, 3) for phase, seconds in record["seconds"].items()}
    record["ended"] = _now()
    return record


def _process_product(rank: _Rank, entry: Entry, output: str, record: Record) -> None:
    """The product's phases; fills in `record` as they pass. Raises what stops the product."""
    if entry.fault:
        raise ProductError(entry.fault)
    partial, picture = atomic.partial_path(output), _picture(output)
    rank.engine.seconds = {}
    with FetchedProduct(rank.store, entry, rank.job.bands, rank.scratch, rank.connections) as source:
        try:
            product = rank.engine.read_product(source)
            try:
                rank.process(product, partial)
            finally:
                rank.engine.close_product(product)
            source.wait()  # a script may leave bands unread; what is fetched is verified all the same
        finally:
            record["bytes"], record["verified"] = source.bytes_fetched, source.verified
            record["seconds"].update(fetch=source.fetch_seconds, wait=source.wait_seconds, **rank.engine.seconds)
    if not os.path.exists(partial):
        raise ProductError("process() wrote no result; end it with ProductIO.writeProduct(product, output, 'GeoTIFF')")
    started = time.time()
    quicklook.write(partial, atomic.partial_path(picture), rank.engine.result_bands())
    record["seconds"]["quicklook"] = time.time() - started
    record["output_bytes"] = os.path.getsize(partial)
    atomic.publish(atomic.partial_path(picture), picture)
    atomic.publish(partial, output)  # last: a .tif says that the product is done
    record["output"], record["quicklook"] = os.path.basename(output), os.path.basename(picture)


def _reason(error: BaseException) -> str:
    """One line; our own errors say it all, others need their class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, EojobError) and text else f"{type(error).__name__}: {text}"


def _line(rank: _Rank, index: int, record: Record) -> str:
    seconds = record["seconds"]
    head = f"[{rank.label()}] {index + 1}/{len(rank.plan.todo)} {record['product']} {record['state']}"
    if record["state"] == "failed":
        return f"{head}: {record['error']}"
    phases = " ".join(f"{phase} {seconds[phase]:.1f} s" for phase in ("fetch", "decode", "write") if phase in seconds)
    return f"{head} {record['bytes'] / 1e6:.1f} MB fetched, {phases}, in all {seconds['total']:.1f} s"


def _close_run(job: Job, run: str, state: str, code: Optional[int]) -> None:
    content = ledger.read_run(job.output_dir, run) or {"run": run}
    content.update(state=state, ended_epoch=time.time(), exit_code=code)
    ledger.write_run(job.output_dir, content)


def _finish(job: Job, plan: Plan, failed: List[Record], code: int, seconds: float) -> None:
    """Close run.json and say how it went. On rank 0."""
    _close_run(job, plan.run, "finished", code)
    done = len(plan.todo) - len(failed)
    print(f"[rank 0 {atomic.host()}] {done} done, {len(failed)} failed, {plan.total - len(plan.todo)} done before,"
          f" in {seconds:.1f} s", flush=True)
    if failed:
        print(report.table(["product", "why it failed"], [[r["product"], r["error"]] for r in failed]), flush=True)
