"""Which products there are below the job's prefix, and which of their objects the job needs."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, List, NamedTuple, Tuple

from . import safe
from .errors import EojobError, ProductError
from .jobfile import Job
from .store import Store

_SUFFIX = ".SAFE/"


class Entry(NamedTuple):
    """A product of the job."""

    name: str                             # without .SAFE
    prefix: str                           # its keys start with this, ends with .SAFE/
    objects: Dict[str, Tuple[str, int]]   # see safe.needed_objects
    seconds: float                        # that the listing of its objects took
    fault: str                            # why it cannot be processed; "" when it can

    def size(self) -> int:
        """Bytes to fetch."""
        return sum(count for _, count in self.objects.values())


class NoProductsError(EojobError):
    """There is nothing to do below the prefix."""


def product_prefixes(store: Store, job: Job) -> List[str]:
    """The prefixes of all products directly below the job's, sorted, at most `job.max_products`.

    Raises:
        NoProductsError: naming what is there instead.
        StoreError: the store cannot be listed.
    """
    if job.prefix.endswith(_SUFFIX) and store.sizes(job.prefix):
        return [job.prefix]
    folders = _folders(store, job.prefix)
    if not any(f.endswith(_SUFFIX) for f in folders) and job.prefix + "/" in folders:
        folders = _folders(store, job.prefix + "/")  # a folder that was named without its closing slash
    products = sorted(folder for folder in folders if folder.endswith(_SUFFIX))
    if not products:
        raise NoProductsError(_nothing_there(store, job, folders))
    return products[:job.max_products] if job.max_products else products


def _folders(store: Store, prefix: str) -> List[str]:
    return sorted({entry["Prefix"] for page in store.pages(prefix, "/") for entry in page.get("CommonPrefixes", ())})


def _few(names: List[str]) -> str:
    return ", ".join(names[:4]) + (f", … ({len(names)} in all)" if len(names) > 4 else "")


def _nothing_there(store: Store, job: Job, folders: List[str]) -> str:
    """The sentence for a prefix without products: its children, or those of the nearest parent that exists."""
    say = f"prefix: no product (NAME.SAFE/) below '{job.prefix}' in bucket '{job.bucket}'"
    if folders:
        return f"{say}; it holds {_few(folders)}; name one of them"
    parts = job.prefix.rstrip("/").split("/")
    for depth in range(len(parts) - 1, -1, -1):
        parent = "".join(part + "/" for part in parts[:depth])
        folders = _folders(store, parent)
        if folders:
            where = f"the nearest that exists is '{parent}', with" if parent else "the bucket holds"
            return f"{say}; {where} {_few(folders)}; name one of them"
    return f"{say}; the bucket is empty; name another bucket"


def describe(store: Store, prefix: str, bands: Tuple[str, ...], also: Tuple[str, ...] = ()) -> Entry:
    """The product at `prefix` with the objects that a job on `bands` needs; a fault of the product is recorded.

    `also` is the engine's `also_needed`.
    """
    started = time.time()
    name = prefix.split("/")[-2][:-len(".SAFE")]
    try:
        safe.check_name(name)
        objects, fault = safe.needed_objects(store.sizes(prefix), bands, also), ""
    except ProductError as error:
        objects, fault = {}, str(error)
    return Entry(name, prefix, objects, time.time() - started, fault)


def describe_all(store: Store, prefixes: List[str], bands: Tuple[str, ...], threads: int,
                 also: Tuple[str, ...] = ()) -> List[Entry]:
    """`describe` for many products, the largest first (then by name), so that no rank ends with a long one."""
    with ThreadPoolExecutor(max_workers=threads) as pool:
        entries = list(pool.map(lambda prefix: describe(store, prefix, bands, also), prefixes))
    return sorted(entries, key=lambda entry: (-entry.size(), entry.name))
