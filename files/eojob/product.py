"""One product on its way through a rank: fetched, computed, published; its record, whatever happens."""

import contextlib
import datetime
import os
import resource
import shutil
import time
import traceback
from typing import Callable, Optional

from . import atomic, quicklook
from .catalogue import Entry
from .errors import EojobError, ProductError
from .ledger import Record
from .rank import Rank
from .transfer import FetchedProduct


def now() -> str:
    """The time as the ledger has it: UTC, ISO 8601."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Product:
    """A product of the job on its rank. `fetch`, `compute` and `publish` come in this order, each in any thread."""

    def __init__(self, rank: Rank, index: int, entry: Entry) -> None:
        self.index, self.entry = index, entry
        self.output = os.path.join(rank.job.output_dir, entry.name + ".tif")
        self.picture = os.path.splitext(self.output)[0] + ".png"
        # A graph or script may want much of its file's folder; NAME.tif alone in it is nobody's else.
        self.written = atomic.partial_path(self.output) if not rank.local_results() \
            else os.path.join(rank.scratch, entry.name + ".tif")
        self.record: Record = {
            "product": entry.name, "run": rank.plan.run, "rank": rank.number, "host": atomic.host(),
            "pid": os.getpid(), "slurm_job_id": rank.plan.slurm_job_id, "parameters": rank.plan.parameters,
            "bytes": 0, "requests": 0, "method": rank.job.method, "seconds": {"list": entry.seconds}}
        self._rank = rank
        self._source: Optional[FetchedProduct] = None
        self._fault: Optional[BaseException] = None

    def fetch(self, begun_last: Callable[[], None]) -> None:
        """Start the transfer; `begun_last` as FetchedProduct has it. A fault is kept for the record."""
        try:
            if self.entry.fault:
                raise ProductError(self.entry.fault)
            self._source = FetchedProduct(self._rank.means, self.entry, begun_last)
        except Exception as error:  # one product's failure never stops the others
            self._fault = error

    def compute(self) -> None:
        """Let the script process the product, as far as a result under a temporary name. Never raises Exception."""
        started = time.time()
        self.record["started"] = now()
        try:
            if self._fault is not None:
                raise self._fault
            self._compute()
        except (Exception, SystemExit) as error:
            self._failed(error)
        finally:
            shutil.rmtree(os.path.join(self._rank.scratch, self.entry.name + ".SAFE"), ignore_errors=True)
        self.record["seconds"]["total"] = time.time() - started

    def _compute(self) -> None:
        engine, record = self._rank.engine, self.record
        engine.seconds, engine.approximation = {}, {}
        assert self._source is not None, "fetch comes before compute"
        with self._source as source:
            try:
                product = engine.read_product(source)
                try:
                    self._rank.process(product, self.written)
                finally:
                    engine.close_product(product)
                source.wait()  # a script may leave bands unread; what is fetched is verified all the same
            finally:
                record.update(bytes=source.bytes_fetched, requests=source.requests, verified=source.verified)
                record["seconds"].update(fetch=source.fetch_seconds, wait=source.wait_seconds, **engine.seconds)
        if engine.approximation:
            record["approximation"] = {"bands": engine.approximation}
        if not os.path.exists(self.written):
            raise ProductError(
                "process() wrote no result; end it with ProductIO.writeProduct(product, output, 'GeoTIFF')")

    def publish(self) -> Record:
        """Give the result its name and place. Never raises Exception; the finished record."""
        started = time.time()
        try:
            if "state" not in self.record:
                self._publish()
                self.record["state"] = "done"
        except Exception as error:
            self._failed(error)
        finally:
            self.remove_partial()
        record = self.record
        record["seconds"]["finish"] = time.time() - started
        record["seconds"] = {phase: round(seconds, 3) for phase, seconds in record["seconds"].items()}
        record["peak_memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts kilobytes
        record["ended"] = now()
        return record

    def _publish(self) -> None:
        started = time.time()
        partial = atomic.partial_path(self.picture)
        preview = self._rank.engine.previews.pop(self.written, None)
        if preview is None:
            quicklook.write(self.written, partial, self._rank.engine.result_bands())
        else:
            bands, planes = preview
            quicklook.draw([planes[index - 1] for index in quicklook.channels(bands, len(planes))], partial)
        atomic.publish(partial, self.picture)
        self.record["seconds"]["quicklook"] = time.time() - started
        self.record["quicklook"] = os.path.basename(self.picture)
        self.record["output_bytes"] = os.path.getsize(self.written)
        if self._rank.target is not None:
            self.record["output"] = self._rank.target.put(self.written, os.path.basename(self.output))
            return
        if self.written != atomic.partial_path(self.output):
            shutil.copyfile(self.written, atomic.partial_path(self.output))
        atomic.publish(atomic.partial_path(self.output), self.output)  # last: a .tif says that the product is done
        self.record["output"] = os.path.basename(self.output)

    def _failed(self, error: BaseException) -> None:
        self.record.update(state="failed", error=_reason(error), traceback="".join(
            traceback.format_exception(type(error), error, error.__traceback__)))

    def abandon(self) -> None:
        """End the transfer of a product that will not be computed."""
        if self._source is not None:
            self._source.__exit__()

    def remove_partial(self) -> None:
        """Remove what has been written towards the result; what bears its own name stays."""
        atomic.remove_partial(self.output, self.picture)
        if self.written != atomic.partial_path(self.output):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.written)


def _reason(error: BaseException) -> str:
    """One line; our own errors say it all, others need their class."""
    text = " ".join(str(error).split())
    return text if isinstance(error, EojobError) and text else f"{type(error).__name__}: {text}"
