"""What can be known before a job is queued: each check one sentence, with the remedy when it fails."""

import os
import shutil
import tempfile
from typing import Callable, List, NamedTuple, Tuple

from . import catalogue, startup
from .errors import EojobError
from .jobfile import COMPRESSION, Job
from .store import Store, StoreError

_SAMPLE = 20  # products whose objects are listed to judge the size of the job

# Bytes of a result per byte of JP2 at native resolution, rounded up; First keeps less-correlated pixels.
_GROWTH = dict(zip(COMPRESSION, (1.5, 1.6, 1.8, 2.6)))


class Check(NamedTuple):
    """One thing that was looked at."""

    name: str
    ok: bool
    message: str


class _Facts:
    """What one check finds and a later one needs."""

    products = 0
    bytes_per_product = 0.0
    also: Tuple[str, ...] = ()


def preflight(job: Job) -> List[Check]:
    """Look at engine, output folder, store and disk space. Never raises for a fault it finds."""
    checks: List[Check] = []
    facts = _Facts()
    steps: List[Tuple[str, Callable[[], str]]] = [
        ("engine", lambda: _engine(job, facts)),
        ("output_dir", lambda: _output(job)),
        ("store", lambda: _store(job, facts)),
        ("disk space", lambda: _space(job, facts)),
    ]
    if job.upload_url:
        steps.insert(3, ("upload_url", lambda: _upload(job)))
    for name, step in steps:
        if name == "disk space" and not all(check.ok for check in checks if check.name != "engine"):
            continue  # nothing to measure against
        try:
            checks.append(Check(name, True, step()))
        except EojobError as error:
            checks.append(Check(name, False, str(error)))
    return checks


def _engine(job: Job, facts: _Facts) -> str:
    facts.also = startup.checked_engine(job).also_needed
    return f"engine {job.engine} works here"


def _output(job: Job) -> str:
    try:
        os.makedirs(job.output_dir, exist_ok=True)
        with tempfile.TemporaryFile(dir=job.output_dir):
            pass
    except OSError as error:
        raise EojobError(f"output_dir: {job.output_dir} cannot be written ({error.strerror}); name a folder of your"
                         " own that all nodes share, or correct its permissions") from error
    return f"{job.output_dir} can be written"


def _upload(job: Job) -> str:
    from .upload import Target
    Target(_hasty(job)).check()
    return f"{job.upload_url} can be written"


def _hasty(job: Job) -> Job:
    """The job with a person who waits for the answer: one repeat is enough."""
    return job._replace(retries=min(job.retries, 1), connect_timeout=min(job.connect_timeout, 10.0))


def _store(job: Job, facts: _Facts) -> str:
    hasty = _hasty(job)
    store = Store(hasty, connections=8)
    try:
        prefixes = catalogue.product_prefixes(store, hasty)
    except StoreError as error:
        if error.kind != "bucket":
            raise
        raise EojobError(f"{error}{_other_buckets(store)}") from error
    entries = catalogue.describe_all(store, prefixes[:_SAMPLE], job.bands, threads=8, also=facts.also)
    usable = [entry for entry in entries if not entry.fault]
    if not usable:
        raise EojobError(f"prefix: none of the first {len(entries)} products below '{job.prefix}' can be processed;"
                         f" {entries[0].name}: {entries[0].fault}; name another prefix or other bands")
    facts.products = len(prefixes)
    facts.bytes_per_product = sum(entry.size() for entry in usable) / len(usable)
    faulty = f"; {len(entries) - len(usable)} of the first {len(entries)} are not complete" \
        if len(usable) < len(entries) else ""
    return (f"{job.endpoint_url} bucket '{job.bucket}' holds {len(prefixes)} product(s) for this job, about"
            f" {facts.bytes_per_product * len(prefixes) / 1e6:.0f} MB to fetch{faulty}")


def _other_buckets(store: Store) -> str:
    """The buckets there are, as a clause; empty when these credentials may not see them."""
    try:
        names = store.bucket_names()
    except EojobError:
        return ""
    return f" (there are {', '.join(names[:5])})" if names else ""


def _space(job: Job, facts: _Facts) -> str:
    if job.upload_url:
        return "results go to a bucket"
    compress = job.compress if job.engine == "gdal" else "none"  # SNAP's GeoTIFFs are not compressed
    needed = int(facts.bytes_per_product * facts.products * _GROWTH[compress] * _shrink(job))
    free = shutil.disk_usage(job.output_dir).free
    if free < needed:
        raise EojobError(f"output_dir: {job.output_dir} has {free / 1e9:.2f} GB free, and the results need about"
                         f" {needed / 1e9:.2f} GB; free space, or lower max_products")
    return f"{job.output_dir} has {free / 1e9:.1f} GB free, the results need about {needed / 1e9:.2f} GB"


def _shrink(job: Job) -> float:
    """Pixels of the result per pixel of the finest band asked for."""
    from .bands import NATIVE_RESOLUTION
    finest = min(NATIVE_RESOLUTION[band] for band in job.bands)
    return (finest / job.resolution) ** 2
