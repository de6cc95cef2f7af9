"""Sharing products over MPI ranks: every rank takes the next number from one counter when it is free.

Rank 0 keeps the counter and works like the others; a thread of its own answers them. A counter in an MPI window
(`MPI.Win.Fetch_and_op`) was measured and left: over TCP between two hosts Open MPI 4.1.4 cannot even make the window
(MPI_ERR_WIN; its pt2pt component refuses MPI_THREAD_MULTIPLE), and where it can, a rank's Fetch_and_op returns only
when rank 0 enters MPI again, that is after the product that rank 0 decodes. Plain messages work at every thread level
from MPI_THREAD_SERIALIZED on, because while products are shared only that thread of rank 0 calls MPI.
"""

import os
import threading
import time
from typing import Any, List, Optional

import numpy as np

from .errors import EojobError

_ASK, _TELL = 71, 72  # message tags
_POLL = 0.005         # s between two looks for questions; a rank waits this long at most per product
_LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


class SerialCommunicator:
    """The few methods of an mpi4py communicator that a job uses, for one process without MPI."""

    rank = 0
    size = 1

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def gather(self, value: Any, root: int = 0) -> List[Any]:
        return [value]

    def allgather(self, value: Any) -> List[Any]:
        return [value]

    def Abort(self, code: int) -> None:
        raise SystemExit(code)


def communicator() -> Any:
    """MPI's world under mpirun or srun, otherwise a SerialCommunicator.

    Raises:
        EojobError: several processes were started that cannot see each other; each would do the whole job.
    """
    launched = [int(os.environ[key]) for key in _LAUNCHED if os.environ.get(key, "").isdigit()]
    if not launched and "PMIX_RANK" not in os.environ:
        return SerialCommunicator()
    expected = max(launched + [1])
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        if launched and expected == 1:
            return SerialCommunicator()
        raise EojobError(f"mpi4py: cannot be imported ({error}), and this is one of several processes; install mpi4py"
                         " on every node, or start one process without mpirun") from error
    world = MPI.COMM_WORLD
    if world.size != expected and launched:
        raise EojobError(f"mpi4py: sees {world.size} rank(s) where {expected} were started; it was built with another"
                         " MPI than the mpirun in use: build mpi4py with that one")
    return world if world.size > 1 else SerialCommunicator()


def meet(comm: Any) -> None:
    """Return when every rank has come here. Unlike MPI's own collectives it leaves the core to others meanwhile."""
    if comm.size > 1:
        request = comm.Ibarrier()
        while not request.Test():
            time.sleep(_POLL)


class Counter:
    """Numbers 0 … total-1, each given to exactly one rank, in growing order.

    Use as a context manager around the work on all ranks, and call nothing else of MPI inside; rank 0 leaves it when
    every rank has had its last number.
    """

    def __init__(self, comm: Any, total: int) -> None:
        self._comm, self._total = comm, total
        self._next = 0
        self._lock = threading.Lock()
        self._server: Optional[threading.Thread] = None
        self._exhausted = False
        self._only_serves = False
        if comm.rank == 0 and comm.size > 1:
            from mpi4py import MPI
            # An MPI without threads is served by rank 0 itself, which then gets no numbers.
            self._only_serves = MPI.Query_thread() < MPI.THREAD_SERIALIZED
            if not self._only_serves:
                self._server = threading.Thread(target=self._serve, name="counter", daemon=True)
                self._server.start()

    def __enter__(self) -> "Counter":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            return  # the caller aborts all ranks; waiting for them would hang
        while self.next() is not None:
            pass  # a rank that left early has to be counted out
        if self._server is not None:
            self._server.join()

    def next(self) -> Optional[int]:
        """The next number, or None when all are given out."""
        if self._exhausted:
            return None
        if self._only_serves:
            self._serve()
        number = self._take() if self._comm.rank == 0 else self._ask()
        self._exhausted = number >= self._total
        return None if self._exhausted else number

    def _take(self) -> int:
        with self._lock:
            number = self._next
            self._next += 1
            return number

    def _ask(self) -> int:
        number = np.zeros(1, dtype="i8")
        self._comm.Send(number, dest=0, tag=_ASK)
        self._comm.Recv(number, source=0, tag=_TELL)
        return int(number[0])

    def _serve(self) -> None:
        """Answer the other ranks until each has been told that nothing is left. Runs in a thread of rank 0."""
        from mpi4py import MPI
        status, question, answer = MPI.Status(), np.zeros(1, dtype="i8"), np.zeros(1, dtype="i8")
        working = self._comm.size - 1
        while working:
            # A blocking Recv would spin on rank 0's core, which decodes at the same time.
            while not self._comm.Iprobe(source=MPI.ANY_SOURCE, tag=_ASK, status=status):
                time.sleep(_POLL)
            rank = status.Get_source()
            self._comm.Recv(question, source=rank, tag=_ASK)
            answer[0] = self._take()
            self._comm.Send(answer, dest=rank, tag=_TELL)
            working -= int(answer[0]) >= self._total
