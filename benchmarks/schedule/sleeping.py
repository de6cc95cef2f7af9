"""One rank of a measured run, whose products sleep where real ones are decoded.

`python -m schedule.sleeping WAY FILE` under mpirun; FILE has the products as JSON, in the order in which they are given
out. Rank 0 prints each rank's seconds, from a common start to the rank's own end, and who has slept for what.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from eojob import schedule
from mpi4py.futures import MPICommExecutor

from schedule.simulation import AHEAD
from schedule.task import WAYS, Product, Told


def static(comm: Any, products: list[Product] | None) -> list[tuple[int, str]]:
    """The tutorial's way: as many products for each rank, in the order given."""
    shares = None
    if products is not None:
        shares = [[products[index] for index in part] for part in np.array_split(np.arange(len(products)), comm.size)]
    return [_sleep(product) for product in comm.scatter(shares)]


def executor(comm: Any, products: list[Product] | None) -> list[tuple[int, str]]:
    """mpi4py's pool: rank 0 gives the products out to the others, and does none."""
    pool: Any  # an executor, but mpi4py's types do not say so; None where a rank only works
    with MPICommExecutor(comm, root=0) as pool:
        return [] if pool is None else list(pool.map(_sleep, products or []))


def eojob(comm: Any, products: list[Product] | None) -> list[tuple[int, str]]:
    """Ours, as files/eojob/pipeline.py has it: the next is asked for, in a thread, before the present one is done."""
    slept = []
    with ThreadPoolExecutor(max_workers=1) as thread, schedule.Dealer(comm, products) as dealer:
        dealt = dealer.next()
        while dealt is not None:
            _, product = dealt
            time.sleep(product.decode * (1 - AHEAD))
            following = thread.submit(dealer.next) if dealer.any_thread else None
            time.sleep(product.decode * AHEAD + product.rest)
            slept.append((comm.rank, product.name))
            dealt = following.result() if following else dealer.next()
    return slept


def _sleep(product: Product) -> tuple[int, str]:
    time.sleep(product.seconds())
    return schedule.communicator().rank, product.name


def main(way: str, file: Path) -> None:
    """Sleep, and tell."""
    comm = schedule.communicator()
    products = [Product(*each) for each in json.loads(file.read_text())] if comm.rank == 0 else None
    comm.Barrier()
    started = time.perf_counter()
    slept = dict(zip(WAYS, (static, executor, eojob), strict=True))[way](comm, products)
    seconds = time.perf_counter() - started
    schedule.meet(comm)  # which leaves the cores to those that are not done
    told = comm.gather((seconds, slept))
    if comm.rank == 0:
        result: Told = {"seconds": [each for each, _ in told], "slept": [pair for _, pairs in told for pair in pairs]}
        print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
