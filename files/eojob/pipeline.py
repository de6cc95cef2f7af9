"""A rank's work: while one product is computed, the next is fetched and the one before is published.

The next product is taken from the common list only when the present one's last band is begun: early enough for its
first band to be there in time, late enough that no rank holds products that an idle one could have.
"""

import contextlib
import shutil
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Iterator, List, Optional

from . import atomic, facade, geotiff, ledger, shutdown
from .catalogue import Entry
from .ledger import Record
from .product import Product
from .rank import Rank
from .schedule import Dealer

_LAST_PAUSE = 0.5  # s; mpirun kills all ranks as soon as one has gone, and the others still clean up


class Pipeline:
    """The three products that a rank has in hand at most."""

    def __init__(self, rank: Rank, dealer: "Dealer[Entry]") -> None:
        self._rank, self._dealer = rank, dealer
        self._book = ledger.Ledger(rank.job.output_dir, rank.plan.run, rank.number)
        self._ahead = ThreadPoolExecutor(max_workers=1)      # takes the next and starts its transfer
        self._publisher = ThreadPoolExecutor(max_workers=1)  # keeps the ledger, too, so that one thread writes it
        self._next: Optional[Future[Optional[Product]]] = None
        self._in_hand: List[Product] = []

    def run(self) -> List[Record]:
        """Work until nothing is left; the records of this rank's products."""
        records: List[Record] = []
        published: List[Future[Record]] = []
        try:
            while True:
                product = self._take()
                if product is None:
                    break
                product.compute()
                if published:
                    records.append(published.pop().result())  # so that no more than one waits
                published.append(self._publisher.submit(self._publish, product))
            self._rank.node.leave()
            records += [future.result() for future in published]
        finally:
            self._ahead.shutdown(wait=True)
            for product in self._in_hand:
                product.abandon()
            self._publisher.shutdown(wait=True)
        return records

    def remove_partial(self) -> None:
        """Remove what is being written; from any thread."""
        for product in list(self._in_hand):
            product.remove_partial()

    def _take(self) -> Optional[Product]:
        """The next product, its transfer begun; None when nothing is left."""
        ahead, self._next = self._next, None
        return self._start_next() if ahead is None else ahead.result()

    def _begun_last(self) -> None:
        if self._dealer.any_thread:
            self._next = self._ahead.submit(self._start_next)

    def _start_next(self) -> Optional[Product]:
        dealt = self._dealer.next()
        if dealt is None:
            return None
        product = Product(self._rank, *dealt)
        self._in_hand.append(product)
        product.fetch(self._begun_last)
        return product

    def _publish(self, product: Product) -> Record:
        record = product.publish()
        self._book.record(record)
        self._in_hand.remove(product)
        print(_line(self._rank, product.index, record), flush=True)
        return record


def work(rank: Rank, dealer: "Dealer[Entry]", alone: bool, interrupted: Callable[[], Any]) -> List[Record]:
    """Do this rank's share of the products; their records.

    Args:
        alone: whether there is no other rank.
        interrupted: called when SIGTERM has ended the work.
    """
    if rank.node.first():
        atomic.clean_results(rank.job.output_dir)
    pipeline = Pipeline(rank, dealer)
    clean_up = [rank.engine.abort, pipeline.remove_partial, lambda: shutil.rmtree(rank.scratch, ignore_errors=True),
                interrupted, lambda: time.sleep(0 if alone else _LAST_PAUSE)]
    with shutdown.on_sigterm(clean_up), _activated(rank), geotiff.environment():
        return pipeline.run()


@contextlib.contextmanager
def _activated(rank: Rank) -> Iterator[None]:
    facade.activate(rank.job, rank.engine)
    try:
        yield
    finally:
        facade.activate(None, None)


def _line(rank: Rank, index: int, record: Record) -> str:
    seconds = record["seconds"]
    head = f"[{rank.label()}] {index + 1}/{rank.plan.to_do} {record['product']} {record['state']}"
    if record["state"] == "failed":
        return f"{head}: {record['error']}"
    phases = " ".join(f"{phase} {seconds[phase]:.1f} s" for phase in ("fetch", "decode", "write") if phase in seconds)
    return f"{head} {record['bytes'] / 1e6:.1f} MB fetched, {phases}, in all {seconds['total']:.1f} s"
