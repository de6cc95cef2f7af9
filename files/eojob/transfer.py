"""Fetching one product's objects into a folder of the rank, verified, while the engine already works on the first.

Objects are asked for in the order of the job's bands, in ranged parts on the rank's bounded pool of threads, so the
first band is whole before the second starts and decoding hides the rest of the transfer.
"""

import concurrent.futures
import functools
import hashlib
import os
import re
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from . import codestream, reduced, s3cmd, safe
from .bands import BANDS
from .catalogue import Entry
from .engines import Source
from .errors import CorruptError, ProductError
from .store import Answer, StoppedError, Store, same_object

PART = 16 * 1024 * 1024  # bytes of one ranged request, as in CloudFerro's own SDK
_MD5 = re.compile("^[0-9a-f]{32}$")
_HELD = 0.4              # of a band's bytes that its lower resolutions and the sample take at most, for the disk's sake


class Means(NamedTuple):
    """What a rank fetches all its products with."""

    store: Store
    pool: ThreadPoolExecutor  # as many threads as the rank may have connections
    scratch: str              # the rank's own folder on local disk
    bands: Tuple[str, ...]
    levels: Dict[str, int]    # by band: how often its resolution is halved by leaving data out; see `reduced`
    backend: str              # "boto3" or "s3cmd"

    def needed(self, entry: Entry) -> int:
        """Bytes on local disk that fetching a product takes at most."""
        return sum(int(item.size * _HELD) if self.levels.get(role) else item.size
                   for role, item in entry.objects.items())


class FetchedProduct(Source):
    """A product on its way to local disk. Use as a context manager: leaving it ends the transfer."""

    def __init__(self, means: Means, entry: Entry, begun_last: Callable[[], None] = lambda: None) -> None:
        """Start the transfer into `means.scratch`/NAME.SAFE.

        Args:
            begun_last: called once, when the engine asks for the last band, or for all there is.
        Raises:
            ProductError: the disk is too small.
        """
        free = shutil.disk_usage(means.scratch).free
        if free < means.needed(entry):
            raise ProductError(f"scratch_dir: {means.scratch} has {free / 1e6:.0f} MB free and {entry.name} needs"
                               f" {means.needed(entry) / 1e6:.0f} MB; name a larger scratch_dir, or free space")
        self.name, self.bands = entry.name, means.bands
        self.folder = os.path.join(means.scratch, entry.name + ".SAFE")
        self.bytes_fetched = self.requests = 0
        self.verified = "size"    # what objects were checked against: "size", the algorithm, and what else there is
        self.fetch_seconds = 0.0  # from the first request to the last verified object
        self.wait_seconds = 0.0   # those in which the engine stood still
        self._means, self._entry = means, entry
        self._begun_last: Optional[Callable[[], None]] = begun_last
        self._started = time.time()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._checksums: Optional[Dict[str, safe.Checksum]] = None
        self._metadata: Optional[safe.Metadata] = None
        self._etags: Dict[str, str] = {}
        self._reduced: Dict[str, reduced.Reduced] = {}
        order: List[str] = [role for role in ("manifest", "product", "tile") + means.bands if role in entry.objects]
        order += [role for role in sorted(entry.objects) if role not in order]  # what the engine also needs
        # One thread verifies one object after the other, in the order asked; a band's walk needs one all along.
        self._objects = ThreadPoolExecutor(max_workers=1)
        self._walks = ThreadPoolExecutor(max_workers=max(1, len(means.bands)))
        self._fetches: List[Future[Any]] = []
        fetches = {role: self._fetch(role) for role in order}
        self._done: Dict[str, Future[str]] = {
            role: self._objects.submit(self._finish, role, fetches[role]) for role in order}

    def __enter__(self) -> "FetchedProduct":
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()  # what waits in the queue returns at once
        for future in self._fetches:
            future.cancel()
        concurrent.futures.wait(self._fetches)
        self._walks.shutdown(wait=True)
        self._objects.shutdown(wait=True)

    def metadata(self) -> safe.Metadata:
        if self._metadata is None:
            self._metadata = safe.read_metadata(self.name, self._wait_for("product"), self._wait_for("tile"))
        return self._metadata

    def band_path(self, band: str) -> str:
        if band not in self._done or band not in BANDS:
            raise ProductError(f"band {band} was not fetched; add it to the job's bands ({', '.join(self.bands)})")
        if band == self.bands[-1]:
            self._tell_last()
        return self._wait_for(band)

    def reduction(self, band: str) -> Optional[reduced.Reduced]:
        return self._reduced.get(band)

    def wait(self) -> None:
        self._tell_last()
        for role in self._done:
            self._wait_for(role)

    def _tell_last(self) -> None:
        tell, self._begun_last = self._begun_last, None
        if tell is not None:
            tell()

    def _wait_for(self, role: str) -> str:
        started = time.time()
        try:
            return self._done[role].result()
        finally:
            self.wait_seconds += time.time() - started

    def _path(self, role: str) -> str:
        return os.path.join(self.folder, *self._entry.objects[role].path.split("/"))

    def _fetch(self, role: str) -> "List[Future[Any]]":
        """Begin to fetch an object; what has to end before it is there."""
        path = self._path(role)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if self._means.backend == "s3cmd":
            futures = [self._means.pool.submit(self._fetch_by_s3cmd, role, path)]
        elif self._means.levels.get(role):
            futures = [self._walks.submit(self._fetch_reduced, role, path)]
        else:
            futures = self._fetch_parts(role, path)
        self._fetches += futures
        return futures

    def _fetch_parts(self, role: str, path: str) -> "List[Future[Any]]":
        """Make the object's file at its full size and queue its parts."""
        size = self._entry.objects[role].size
        with open(path, "wb") as stream:
            stream.truncate(size)
        return [self._means.pool.submit(self._fetch_part, role, path, first, min(PART, size - first))
                for first in range(0, size, PART)]

    def _fetch_part(self, role: str, path: str, first: int, count: int) -> None:
        item = self._entry.objects[role]
        with open(path, "r+b") as stream:
            stream.seek(first)

            def put(block: bytes) -> None:
                try:
                    stream.write(block)
                except OSError as error:  # which must not pass for one of the network
                    raise ProductError(f"scratch_dir: {path} cannot be written ({error.strerror})") from error
            answer = self._means.store.stream(self._entry.prefix + item.path, first, count, put, self._ended)
        self._count(role, count, answer)

    def _fetch_by_s3cmd(self, role: str, path: str) -> None:
        item = self._entry.objects[role]
        s3cmd.get(self._means.store.job, self._entry.prefix + item.path, path, self._ended)
        self._count(role, item.size, Answer(1, item.etag))

    def _fetch_reduced(self, role: str, path: str) -> None:
        """Fetch what the band's lower resolution needs, or all of a band whose layout does not let it be told."""
        item = self._entry.objects[role]

        def read(first: int, count: int) -> bytes:
            data, answer = self._means.store.read_short(self._entry.prefix + item.path, first, count, self._ended)
            self._count(role, count, answer)
            return data
        try:
            self._reduced[role] = reduced.fetch(read, item.size, self._means.levels[role], path + ".j2k",
                                                self._means.pool)
        except (reduced.NotReducibleError, CorruptError):  # of a whole object its checksum tells whether it is sound
            parts = self._fetch_parts(role, path)
            for part in parts:
                part.result()

    def _count(self, role: str, count: int, answer: Answer) -> None:
        with self._lock:
            self.bytes_fetched += count
            self.requests += answer.requests
            self._etags[role] = same_object(self._entry.objects[role].path, self._etags.get(role), answer.etag)

    def _finish(self, role: str, fetches: "List[Future[Any]]") -> str:
        """Wait for the object's parts and verify it; the path of its file."""
        try:
            for fetch in fetches:
                fetch.result()
        except concurrent.futures.CancelledError:
            pass  # by the end of the transfer
        if self._ended.is_set():
            raise StoppedError("the transfer was ended")
        path = self._path(role)
        if role == "manifest":
            self._checksums = safe.read_manifest(path)
        elif role in self._reduced:
            path += ".j2k"
            if "structure" not in self.verified:
                self.verified += ", bands by structure"  # there is no checksum of a part
        else:
            self._verify(role, path)
        self.fetch_seconds = time.time() - self._started
        return path

    def _verify(self, role: str, path: str) -> None:
        """Raise CorruptError unless the file is what the manifest says and, for a band, a whole JPEG 2000."""
        item = self._entry.objects[role]
        said = (self._checksums or {}).get(item.path)
        if os.path.getsize(path) != item.size:
            raise CorruptError(f"{item.path} came with {os.path.getsize(path)} bytes of {item.size}")
        if said and said.size != item.size:
            raise CorruptError(f"{item.path} has {item.size} bytes in the store, and {said.size} by {safe.MANIFEST}")
        if said and said.algorithm:
            self._compare(item.path, path, said.algorithm, said.digest, safe.MANIFEST)
        elif _MD5.match(item.etag) and self._etags[role] == item.etag:  # else it is a checksum of parts, or none
            self._compare(item.path, path, "md5", item.etag, "the store's ETag")
        if role in BANDS:
            codestream.check(path)

    def _compare(self, name: str, path: str, algorithm: str, expected: str, source: str) -> None:
        digest = _digest(path, algorithm)
        if digest != expected:
            raise CorruptError(f"{name} has {algorithm} {digest[:12]}…, and {expected[:12]}… by {source}")
        if algorithm not in self.verified:
            self.verified += f", {algorithm}"


def _digest(path: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for block in iter(functools.partial(stream.read, 1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
