"""What all ranks have to agree on before the first product: either every rank can work, or none begins."""

import os
import sys
import tempfile
from typing import Any, Callable, Dict, TypeVar, cast

from . import atomic, engines, s3cmd, schedule
from .engines import Engine
from .errors import EojobError
from .jobfile import Job

T = TypeVar("T")


class NotStartedError(Exception):
    """A rank could not start; all know it, and rank 0 has said why."""


def on_all(comm: Any, function: Callable[[], T]) -> T:
    """The result of `function` when it succeeds on every rank. Raises NotStartedError on every rank otherwise."""
    value, fault = None, ""
    try:
        value = function()
    except (EojobError, OSError) as error:
        fault = str(error)
    if _any_fault(comm, fault):
        raise NotStartedError
    return cast(T, value)


def on_first(comm: Any, function: Callable[[], T]) -> T:
    """The result of `function` on rank 0, None on the others. Raises NotStartedError on every rank when it fails."""
    return cast(T, on_all(comm, lambda: function() if comm.rank == 0 else None))


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


def checked_engine(job: Job) -> Engine:
    """The job's engine, able to work on this machine. Raises EojobError."""
    engine = engines.load(job)
    engine.check()
    if job.transfer == "s3cmd":
        s3cmd.check()
    return engine


def check_scratch(job: Job) -> None:
    """Raise EojobError unless scratch_dir can be written; remove there what dead processes of ours have left."""
    try:
        os.makedirs(job.scratch_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=job.scratch_dir):
            pass
    except OSError as error:
        raise EojobError(f"scratch_dir: {job.scratch_dir} cannot be written ({error.strerror}); name a folder on each"
                         " node's own disk") from error
    atomic.clean_scratch(job.scratch_dir)


def connections(job: Job, ranks: int, ranks_here: int) -> int:
    """The requests that one rank may make at the same time, of those of the job and of its node."""
    limits = [job.connections] + [most // sharing for most, sharing in
                                  ((job.max_connections, ranks), (job.node_connections, ranks_here)) if most]
    return max(1, min(limits))
