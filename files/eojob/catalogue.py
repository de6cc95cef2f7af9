"""Which products there are below the job's prefix, and which of their objects the job needs."""

import itertools
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Dict, Iterator, List, NamedTuple, Tuple

from . import safe
from .errors import EojobError, ProductError
from .jobfile import Job
from .safe import Item
from .store import Store

_SUFFIX = ".SAFE/"
_KEYS = 64   # keys of a product, about; a Level-1C product in the store has 60 to 110
_PAGES = 4   # that a thread lists at least: each run ends within a page, so shorter runs ask for much in vain
_TURNS = 4   # runs per thread of a long listing, as not all are answered equally fast

Found = Dict[str, Tuple[int, str]]
"""(bytes, ETag) by path inside NAME.SAFE."""


class Entry(NamedTuple):
    """A product of the job."""

    name: str                 # without .SAFE
    prefix: str               # its keys start with this, ends with .SAFE/
    objects: Dict[str, Item]  # by role, see safe.needed_objects
    seconds: float            # its share of the time that listing took
    fault: str                # why it cannot be processed; "" when it can

    def size(self) -> int:
        """Bytes to fetch."""
        return sum(item.size for item in self.objects.values())


class NoProductsError(EojobError):
    """There is nothing to do below the prefix."""


def product_prefixes(store: Store, job: Job) -> List[str]:
    """The prefixes of all products directly below the job's, sorted, at most `job.max_products`.

    Raises:
        NoProductsError: naming what is there instead.
        StoreError: the store cannot be listed.
    """
    if job.prefix.endswith(_SUFFIX) and any(True for _ in _listed(store, [job.prefix])):
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


def slices(prefixes: List[str], ranks: int) -> List[List[str]]:
    """`prefixes` in as many contiguous parts as there are ranks, none longer than another by more than one."""
    edges = [len(prefixes) * rank // ranks for rank in range(ranks + 1)]
    return [prefixes[first:last] for first, last in zip(edges, edges[1:])]


def largest_first(entries: List[Entry]) -> List[Entry]:
    """The order in which products are given out: by bytes, then by name, so that no rank ends with a long one."""
    return sorted(entries, key=lambda entry: (-entry.size(), entry.name))


def describe_all(store: Store, prefixes: List[str], bands: Tuple[str, ...], threads: int,
                 also: Tuple[str, ...] = ()) -> List[Entry]:
    """The products at `prefixes` with the objects that a job on `bands` needs, the largest first.

    Listed are the keys of many products at once, in `threads` requests at a time; in memory are a page of each thread
    and the result. A fault of a product is recorded in its entry.

    Args:
        also: the engine's `also_needed`.
    Raises:
        StoreError: the store cannot be listed.
    """
    pieces = [piece for _, run in itertools.groupby(sorted(set(prefixes)), key=_parent)
              for piece in _pieces(list(run), threads, store.job.page_size)]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        described = pool.map(lambda piece: _describe(store, piece, bands, also), pieces)
        return largest_first([entry for entries in described for entry in entries])


def _parent(prefix: str) -> str:
    return prefix[:prefix.rstrip("/").rfind("/") + 1]


def _pieces(run: List[str], threads: int, page_size: int) -> List[List[str]]:
    shortest = max(1, _PAGES * page_size // _KEYS)
    return slices(run, max(1, min(threads * _TURNS, len(run) // shortest)))


def _describe(store: Store, run: List[str], bands: Tuple[str, ...], also: Tuple[str, ...]) -> List[Entry]:
    """The entries of a sorted run of products with the same parent."""
    started = time.time()
    faults = {prefix: _name_fault(prefix) for prefix in run}
    ours = [prefix for prefix in run if not faults[prefix]]
    entries = {prefix: _entry(prefix, found, bands, also) for prefix, found in _listed(store, ours)}
    for prefix in ours:
        # A store that orders its keys in a way of its own may show a product elsewhere, or in two pieces.
        if prefix not in entries or entries[prefix].fault:
            entries[prefix] = _entry(prefix, dict(_listed(store, [prefix])).get(prefix, {}), bands, also)
    share = (time.time() - started) / len(run)
    return [entries[prefix]._replace(seconds=share) if prefix in entries
            else Entry(_name(prefix), prefix, {}, share, faults[prefix]) for prefix in run]


def _name(prefix: str) -> str:
    return prefix.split("/")[-2][:-len(".SAFE")]


def _name_fault(prefix: str) -> str:
    try:
        safe.check_name(_name(prefix))
        return ""
    except ProductError as error:
        return str(error)


def _entry(prefix: str, found: Found, bands: Tuple[str, ...], also: Tuple[str, ...]) -> Entry:
    try:
        return Entry(_name(prefix), prefix, safe.needed_objects(found, bands, also), 0.0, "")
    except ProductError as error:
        return Entry(_name(prefix), prefix, {}, 0.0, str(error))


def _listed(store: Store, run: List[str]) -> Iterator[Tuple[str, Found]]:
    """The objects of each product of `run`, as soon as the listing has passed it.

    Of what lies between two products of the run, at most the rest of a page is listed: the next request is due in any
    case, so it may as well begin at the next product. That never costs a request more than listing on, and a smaller
    gap, within a page, costs none at all.
    """
    common = os.path.commonprefix([run[0], run[-1]]) if run else ""
    at = 0
    found: Found = {}
    while at < len(run):
        start = at
        for page in store.pages(common, start_after=run[at]):
            key = ""
            for entry in page.get("Contents", ()):
                key = entry["Key"]
                while key > run[at] and not key.startswith(run[at]):
                    if found:
                        yield run[at], found
                    at, found = at + 1, {}
                    if at == len(run):
                        return
                # Some stores keep an empty object for each folder.
                if key.startswith(run[at]) and not (key.endswith("/") and int(entry["Size"]) == 0):
                    found[key[len(run[at]):]] = int(entry["Size"]), entry.get("ETag", "").strip('"')
            if page.get("IsTruncated") and at > start and not key.startswith(run[at]):
                break
        else:
            if found:
                yield run[at], found
            return
