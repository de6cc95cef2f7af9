#!/usr/bin/env python3
"""Does the sharing of products work under this cluster's MPI? Run on two nodes or more, through sbatch or by hand:

    mpirun -n 4 --map-by node python3 mpi_schedule_check.py [FOLDER_OF_EOJOB]

Rank 0 holds its core for seconds, as a decode does, and the others must go on meanwhile. Prints one line per rank and
`ok`, or says what is wrong and ends with code 1.
"""

import hashlib
import os
import sys
import time

sys.path.insert(0, sys.argv[1] if len(sys.argv) > 1 else os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "..", "files"))

from eojob import schedule

TOTAL = 60        # numbers to share
BUSY = 4.0        # s that rank 0 decodes without a call to MPI
STEP = 0.05       # s of work per number of the other ranks


def decode(seconds):
    """Hold the core outside Python's lock for a time, as GDAL does."""
    end, data = time.time() + seconds, bytes(20000000)
    while time.time() < end:
        hashlib.sha256(data).digest()


def main():
    comm = schedule.communicator()
    if comm.size < 2:
        sys.exit("start it with mpirun on at least 2 ranks")
    mine, waits = [], []
    with schedule.Dealer(comm, list(range(TOTAL)) if comm.rank == 0 else None) as dealer:
        while True:
            asked = time.time()
            dealt = dealer.next()
            waits.append(time.time() - asked)
            if dealt is None:
                break
            mine.append(dealt[1])
            if comm.rank == 0:
                decode(BUSY)
            else:
                time.sleep(STEP)
    schedule.meet(comm)
    lines = comm.gather((comm.rank, os.uname()[1], len(mine), max(waits), mine))
    faults = []
    if comm.rank == 0:
        for rank, host, count, wait, _ in lines:
            print(f"rank {rank} {host}: {count} numbers, longest wait {wait:.3f} s")
        given = sorted(number for line in lines for number in line[4])
        if given != list(range(TOTAL)):
            faults.append("numbers were lost or given twice")
        if any(line[4] != sorted(line[4]) for line in lines):
            faults.append("numbers did not grow")
        if any(line[3] > BUSY / 2 for line in lines):
            faults.append(f"a rank waited for rank 0's decode of {BUSY:.0f} s")
        print("\n".join(faults) or "ok")
    sys.exit(1 if comm.bcast(faults) else 0)


if __name__ == "__main__":
    main()
