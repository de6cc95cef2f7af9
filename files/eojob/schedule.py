"""Sharing products over MPI ranks: every rank asks rank 0 for the next one when it can use it.

Rank 0 alone has the list and works like the others; a thread of its own answers them. A counter in an MPI window
(`MPI.Win.Fetch_and_op`) was measured and left: over TCP between two hosts Open MPI 4.1.4 cannot even make the window
(MPI_ERR_WIN; its pt2pt component refuses MPI_THREAD_MULTIPLE), and where it can, a rank's Fetch_and_op returns only
when rank 0 enters MPI again, that is after the product that rank 0 decodes. Plain messages work at every thread level
from MPI_THREAD_SERIALIZED on, because while products are shared only that thread of rank 0 calls MPI.
"""

import os
import threading
import time
from typing import Any, Dict, Generic, List, Optional, Tuple, TypeVar, cast

import numpy as np

from .errors import EojobError

T = TypeVar("T")

_ASK, _TELL = 71, 72   # message tags
_NEXT, _LEAVE = 0, 1   # what a question says
_POLL = 0.01           # s between two looks for messages; a question is answered after twice this at most
_LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


class SerialCommunicator:
    """The few methods of an mpi4py communicator that a job uses, for one process without MPI."""

    rank = 0
    size = 1

    def bcast(self, value: Any, root: int = 0) -> Any:
        return value

    def scatter(self, values: Any, root: int = 0) -> Any:
        value, = values
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


def working_ranks(hosts: List[str], items: int) -> List[int]:
    """The ranks that work when there are fewer items than ranks: as many on each node as on any other.

    Args:
        hosts: the node of each rank.
    """
    seen: Dict[str, int] = {}
    order = []
    for rank, host in enumerate(hosts):
        order.append((seen.get(host, 0), rank))
        seen[host] = order[-1][0] + 1
    return sorted(rank for _, rank in sorted(order)[:items])


class Deal:
    """What is given out next: the items in their order, each once. Knows nothing of MPI, so it can be simulated."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._next = 0

    def take(self) -> Optional[int]:
        """The index of the next item, or None when all are given out."""
        if self._next == self.total:
            return None
        self._next += 1
        return self._next - 1


class Dealer(Generic[T]):
    """Gives each item to exactly one rank, in the items' order, to whichever asks next.

    Use as a context manager around the work on all ranks, and call nothing else of MPI inside; rank 0 leaves it when
    every other rank has had its last item or has left. A rank may leave early; what is not given out goes to others.
    """

    def __init__(self, comm: Any, items: Optional[List[T]]) -> None:
        """`items` are needed on rank 0 only; an item travels to the rank that gets it."""
        self._comm, self._items = comm, items or []
        self._deal = Deal(len(self._items))
        self._lock = threading.Lock()     # of the deal
        self._calling = threading.Lock()  # leaving waits for a call of next() in another thread
        self._server: Optional[threading.Thread] = None
        self._fault: Optional[BaseException] = None
        self._ended = False
        self._serves_first = False
        self.any_thread = True  # whether next() may be called outside the thread that started MPI
        if comm.size > 1:
            from mpi4py import MPI
            self.any_thread = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
            # Where MPI has no threads, rank 0 itself serves, and then gets what the others left.
            self._serves_first = comm.rank == 0 and not self.any_thread
            if comm.rank == 0 and self.any_thread:
                self._server = threading.Thread(target=self._serve_all, name="dealer", daemon=True)
                self._server.start()

    def __enter__(self) -> "Dealer[T]":
        return self

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            return  # the caller aborts all ranks; waiting for them would hang
        with self._calling:
            if self._serves_first:
                self._serve()
            elif self._comm.rank and not self._ended:
                self._comm.Send(np.array([_LEAVE], dtype="i8"), dest=0, tag=_ASK)
            self._ended = True
        if self._server is not None:
            self._server.join()
            self._raise_fault()

    def next(self) -> Optional[Tuple[int, T]]:
        """The next item with its index, or None when all are given out. One call at a time."""
        with self._calling:
            if self._ended:
                return None
            self._raise_fault()
            if self._serves_first:
                self._serve()
                self._serves_first = False
            answer = self._ask() if self._comm.rank else self._take()
            self._ended = answer is None
            return answer

    def _take(self) -> Optional[Tuple[int, T]]:
        with self._lock:
            index = self._deal.take()
        return None if index is None else (index, self._items[index])

    def _ask(self) -> Optional[Tuple[int, T]]:
        self._comm.Send(np.array([_NEXT], dtype="i8"), dest=0, tag=_ASK)
        # A blocking receive would spin on this rank's core, which decodes at the same time.
        while not self._comm.Iprobe(source=0, tag=_TELL):
            time.sleep(_POLL)
        return cast(Optional[Tuple[int, T]], self._comm.recv(source=0, tag=_TELL))

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise EojobError(f"the products cannot be shared any more: {self._fault!r}") from self._fault

    def _serve_all(self) -> None:
        """The thread of rank 0."""
        try:
            self._serve()
        except BaseException as error:  # told by next() and at the end; the others would wait for ever otherwise
            self._fault = error

    def _serve(self) -> None:
        """Answer the other ranks until each has been told that nothing is left, or has left."""
        from mpi4py import MPI
        status, question = MPI.Status(), np.zeros(1, dtype="i8")
        working = self._comm.size - 1
        while working:
            while not self._comm.Iprobe(source=MPI.ANY_SOURCE, tag=_ASK, status=status):
                time.sleep(_POLL)
            rank = status.Get_source()
            self._comm.Recv(question, source=rank, tag=_ASK)
            answer = self._take() if question[0] == _NEXT else None
            if question[0] == _NEXT:
                self._comm.send(answer, dest=rank, tag=_TELL)
            working -= answer is None
