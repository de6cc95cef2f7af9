"""Measures the time of a question: two processes of MPI that do nothing else but ask and answer.

`python -m schedule.service` is one of them.
"""

import json
import sys
import time

from eojob import catalogue, safe, schedule

from schedule.launch import launch

QUESTIONS = 3000  # of a repeat
REPEATS = 5
_TIMEOUT = 120    # s of a repeat


def measure(repeats: int = REPEATS, questions: int = QUESTIONS) -> float:
    """Seconds from a question to its answer; the best repeat, as other work on the machine only adds to it.

    Rank 0 is busy for a part of that at most, so it is on the safe side.
    """
    return min(float(launch(2, "schedule.service", str(questions), timeout=_TIMEOUT)) for _ in range(repeats))


def answer(questions: int) -> None:
    """One process: rank 1 asks, with products of the size that real ones have; rank 0 prints rank 1's seconds."""
    comm = schedule.communicator()
    schedule._POLL = 0.0  # both look for messages all the time
    objects = {role: safe.Item(f"GRANULE/{'L' * 34}/IMG_DATA/{'T' * 30}.jp2", 10 ** 8, "e" * 32)
               for role in ("product", "tile", "manifest", "B2", "B3", "B4")}
    entry = catalogue.Entry("S" * 60, "S" * 100, objects, 0.1, "")
    with schedule.Dealer(comm, [entry] * questions if comm.rank == 0 else None) as dealer:
        started = time.perf_counter()
        while comm.rank and dealer.next() is not None:
            pass
    seconds = comm.gather((time.perf_counter() - started) / questions)
    if comm.rank == 0:
        print(json.dumps(seconds[1]))


if __name__ == "__main__":
    answer(int(sys.argv[1]))
