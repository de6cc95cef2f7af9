"""A job from its file to its ledger: rank 0 lists, all ranks share the products, one fault stops one product only."""

import contextlib
import os
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, Optional

from . import atomic, catalogue, jobfile, ledger, pipeline, report, schedule, startup
from .bands import NATIVE_RESOLUTION, wavelet_levels
from .catalogue import Entry
from .errors import EojobError
from .jobfile import Job
from .ledger import Record
from .node import Node
from .product import now
from .rank import Plan, Process, Rank
from .startup import NotStartedError, on_all, on_first
from .store import Store
from .transfer import Means
from .upload import Target

DONE, SOME_FAILED, NOT_STARTED = 0, 1, 2

_LISTING_THREADS = 16


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
        job = on_all(comm, lambda: jobfile.load(job_path))
        threads = max(1, min(_LISTING_THREADS, (job.max_connections or _LISTING_THREADS) // comm.size))
        store = on_all(comm, lambda: Store(job, max(job.connections, threads)))
        engine = on_all(comm, lambda: startup.checked_engine(job))
        target = on_all(comm, lambda: Target(job) if job.upload_url else None)
        if target is not None:
            on_first(comm, target.check)
        on_all(comm, lambda: startup.check_scratch(job))
        with contextlib.ExitStack() as stack:
            scratch = on_all(comm, lambda: stack.enter_context(atomic.scratch_folder(job.scratch_dir)))
            node = Node(comm, scratch)
            engine.cores = node.cores
            stack.callback(engine.stop)
            on_all(comm, lambda: engine.start(scratch))
            started = time.time()
            found = on_first(comm, lambda: _find(job, store, script, target))
            entries = _describe(comm, store, found, threads, engine.also_needed)
            planned = on_first(comm, lambda: _plan(job, found, entries, comm.size, started))
            plan: Plan = comm.bcast(planned)
            connections = startup.connections(job, comm.size, node.ranks)
            pool = stack.enter_context(ThreadPoolExecutor(max_workers=connections))
            means = Means(store, pool, scratch, job.bands, _levels(job), job.transfer)
            rank = Rank(job, plan, process, engine, means, target, node, scratch, comm.rank)
            records = _work(comm, rank, entries)
    except NotStartedError:
        return NOT_STARTED
    schedule.meet(comm)
    gathered = comm.gather([record for record in records if record["state"] == "failed"])
    code = None
    if comm.rank == 0:
        failed = sorted((record for rank_failed in gathered for record in rank_failed), key=lambda r: r["product"])
        code = SOME_FAILED if failed else DONE
        _finish(job, plan, failed, code, time.time() - started)
    exit_code: int = comm.bcast(code)
    return exit_code


def _levels(job: Job) -> Dict[str, int]:
    if job.method != "wavelet":
        return {}
    return {band: wavelet_levels(NATIVE_RESOLUTION[band], job.resolution) for band in job.bands}


class _Found:
    """What rank 0 finds before the products are looked at one by one."""

    def __init__(self, parameters: str, names: Dict[str, str], done: Dict[str, Record]) -> None:
        self.parameters = parameters
        self.names = names  # by prefix
        self.done = done    # by name, of those among `names`


def _find(job: Job, store: Store, script: Optional[str], target: Optional[Target]) -> _Found:
    """The products of the job, and what the ledger says is done. On rank 0. Raises EojobError, OSError."""
    os.makedirs(job.output_dir, exist_ok=True)
    prefixes = catalogue.product_prefixes(store, job)
    names = {prefix: prefix.split("/")[-2][:-len(".SAFE")] for prefix in prefixes}
    parameters = jobfile.parameters_hash(job, script)
    done: Dict[str, Record] = {}
    if not job.overwrite:
        there = target.sizes() if target else {}
        done = ledger.good(ledger.last_done(job.output_dir, ledger.IDENTITY), job.output_dir, parameters, there.get)
    wanted = set(names.values())
    return _Found(parameters, names, {name: record for name, record in done.items() if name in wanted})


def _describe(comm: Any, store: Store, found: Optional[_Found], threads: int, also: Any) -> List[Entry]:
    """What is still to do, the largest first, on rank 0; every rank lists a part of it."""
    shares: Any = None
    if found is not None:
        to_do = [prefix for prefix, name in found.names.items() if name not in found.done]
        shares = catalogue.slices(to_do, comm.size)
    share = comm.scatter(shares)
    described = on_all(comm, lambda: catalogue.describe_all(store, share, store.job.bands, threads, also))
    gathered = comm.gather(described)
    return catalogue.largest_first([entry for entries in gathered for entry in entries]) if comm.rank == 0 else []


def _plan(job: Job, found: _Found, entries: List[Entry], ranks: int, started: float) -> Plan:
    """Write run.json and enter what was done before. On rank 0. Raises OSError."""
    slurm_job = os.environ.get("SLURM_JOB_ID")
    run = now().replace("-", "").replace(":", "") + "-" + (slurm_job or str(os.getpid()))
    plan = Plan(run, found.parameters, slurm_job, len(entries), len(found.names))
    seconds = time.time() - started
    ledger.write_run(job.output_dir, {
        "run": run, "state": "running", "started": now(), "started_epoch": started, "ended_epoch": None,
        "slurm_job_id": slurm_job, "ranks": ranks, "engine": job.engine, "parameters": found.parameters,
        "bands": list(job.bands), "resolution": job.resolution, "downsampling": job.downsampling,
        "method": job.method, "endpoint_url": job.endpoint_url, "bucket": job.bucket, "prefix": job.prefix,
        "total": plan.total, "list_seconds": round(seconds, 3),
        "products": [{"product": e.name, "bytes": e.size()} for e in entries] + [
            {"product": name, "bytes": 0} for name in found.done]})
    _enter_done(job, plan, found)
    print(f"[rank 0 {atomic.host()}] {plan.total} products, {len(found.done)} done before, {plan.to_do} to do,"
          f" {sum(e.size() for e in entries) / 1e6:.1f} MB to fetch, {ranks} rank(s), listed in"
          f" {seconds:.1f} s", flush=True)
    if job.method == "wavelet":
        print(f"[rank 0 {atomic.host()}] method wavelet: pixels are approximate; the report says by how much",
              flush=True)
    return plan


def _enter_done(job: Job, plan: Plan, found: _Found) -> None:
    if found.done:
        ledger.Ledger(job.output_dir, plan.run, 0).record(*(
            {"product": name, "state": "skipped", "run": plan.run, "parameters": plan.parameters, "rank": 0,
             "host": atomic.host(), "ended": now(), "output": done["output"], "output_bytes": done["output_bytes"],
             "done_in": done["run"]} for name, done in found.done.items()))


def _work(comm: Any, rank: Rank, entries: List[Entry]) -> List[Record]:
    """The products that this rank gets; their records."""
    hosts = comm.allgather(atomic.host())
    with schedule.Dealer(comm, entries if comm.rank == 0 else None) as dealer:
        if rank.plan.to_do < comm.size and comm.rank not in schedule.working_ranks(hosts, rank.plan.to_do):
            rank.node.leave()  # the products go to ranks that are spread over the nodes, and have more cores each
            return []
        return pipeline.work(rank, dealer, comm.size == 1, lambda: _interrupted(rank))


def _interrupted(rank: Rank) -> None:
    if rank.number == 0:
        _close_run(rank.job, rank.plan.run, "interrupted", None)
    print(f"[{rank.label()}] ended by SIGTERM; what is done stays done, start the job again for the rest", flush=True)


def _close_run(job: Job, run: str, state: str, code: Optional[int]) -> None:
    content = ledger.read_run(job.output_dir, run) or {"run": run}
    content.update(state=state, ended_epoch=time.time(), exit_code=code)
    ledger.write_run(job.output_dir, content)


def _finish(job: Job, plan: Plan, failed: List[Record], code: int, seconds: float) -> None:
    """Close run.json and say how it went. On rank 0."""
    _close_run(job, plan.run, "finished", code)
    print(f"[rank 0 {atomic.host()}] {plan.to_do - len(failed)} done, {len(failed)} failed,"
          f" {plan.total - plan.to_do} done before, in {seconds:.1f} s", flush=True)
    if failed:
        print(report.table(["product", "why it failed"], [[r["product"], r["error"]] for r in failed]), flush=True)
