"""The ranks of one node: whose cores are free for others because their rank has nothing left to do."""

import mmap
import os
from typing import Any, Set, cast

_AT_WORK = 1


class Node:
    """The ranks that share this machine with one rank, each with a byte in a file that says whether it works."""

    def __init__(self, comm: Any, scratch: str) -> None:
        """Made on all ranks of `comm` at the same time; `scratch` is the rank's own folder on local disk."""
        self.ranks = self._number = 0
        self._widened = False
        own = os.sched_getaffinity(0)
        if comm.size == 1:
            self.ranks, self._cpus = 1, own
            given = int(os.environ.get("SLURM_CPUS_PER_TASK") or 0)
            # Started by hand, one process may use the machine; under Slurm, what it asked for.
            self._total = given or (1 if "SLURM_JOB_ID" in os.environ else len(own))
            self._flags: Any = bytearray([_AT_WORK])
            return
        from mpi4py import MPI
        local = comm.Split_type(MPI.COMM_TYPE_SHARED)
        self.ranks, self._number = local.size, local.rank
        path = os.path.join(scratch, "at-work")
        if local.rank == 0:
            with open(path, "wb") as stream:
                stream.write(bytes([_AT_WORK]) * local.size)
        path = local.bcast(path)
        with open(path, "r+b") as stream:
            self._flags = mmap.mmap(stream.fileno(), local.size)  # lives on when the file is removed
        self._cpus = cast(Set[int], set()).union(*local.allgather(own))
        self._total = local.size * int(os.environ.get("SLURM_CPUS_PER_TASK") or 1)
        local.Barrier()
        local.Free()

    def first(self) -> bool:
        """Whether this is the rank that does what is to be done once on each node."""
        return self._number == 0

    def cores(self) -> int:
        """How many cores this rank may use now: its own, and its share of those whose ranks have ended."""
        working = sum(flag == _AT_WORK for flag in self._flags[:self.ranks])
        cores: int = max(1, self._total // max(1, working))
        if cores > 1 and not self._widened:
            os.sched_setaffinity(0, self._cpus)  # mpirun binds each rank to a core
            self._widened = True
        return cores

    def leave(self) -> None:
        """Tell the others that this rank has no more work."""
        self._flags[self._number] = 0
