"""Fetching one product's objects into a folder of the rank, verified, while the engine already works on the first.

Objects are asked for in the order of the job's bands, in ranged parts on a bounded pool of threads, so the first band
is whole before the second starts and decoding hides the rest of the transfer.
"""

import hashlib
import os
import shutil
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Dict, List, Optional, Tuple

from . import codestream, safe
from .bands import BANDS
from .catalogue import Entry
from .engines import Source
from .errors import CorruptError, ProductError
from .store import Store

PART = 16 * 1024 * 1024  # bytes of one ranged request, as in CloudFerro's own SDK


class FetchedProduct(Source):
    """A product on its way to local disk. Use as a context manager: leaving it ends the transfer and its threads."""

    def __init__(self, store: Store, entry: Entry, bands: Tuple[str, ...], scratch: str, connections: int) -> None:
        """Start the transfer into `scratch`/NAME.SAFE. Raises ProductError when the disk is too small."""
        free = shutil.disk_usage(scratch).free
        if free < entry.size():
            raise ProductError(f"scratch_dir: {scratch} has {free / 1e6:.0f} MB free and {entry.name} needs"
                               f" {entry.size() / 1e6:.0f} MB; name a larger scratch_dir, or free space")
        self.name, self.bands = entry.name, bands
        self.folder = os.path.join(scratch, entry.name + ".SAFE")
        self.bytes_fetched = 0
        self.verified = "size"    # what the objects were checked against: "size", or the manifest's algorithm too
        self.fetch_seconds = 0.0  # from the first request to the last verified object
        self.wait_seconds = 0.0   # of it, those in which the engine stood still
        self._store, self._entry = store, entry
        self._started = time.time()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._checksums: Optional[Dict[str, safe.Checksum]] = None
        self._metadata: Optional[safe.Metadata] = None
        self._parts = ThreadPoolExecutor(max_workers=connections)
        self._objects = ThreadPoolExecutor(max_workers=1)  # verifies one object after the other, in the order asked
        order: List[str] = [role for role in ("manifest", "product", "tile") + tuple(bands) if role in entry.objects]
        order += [role for role in sorted(entry.objects) if role not in order]  # what the engine also needs
        requests = {role: self._request(role) for role in order}
        self._done: Dict[str, Future[str]] = {
            role: self._objects.submit(self._finish, role, requests[role]) for role in order}

    def __enter__(self) -> "FetchedProduct":
        return self

    def __exit__(self, *_: Any) -> None:
        self._ended.set()  # parts that wait in the queue return at once
        self._parts.shutdown(wait=True)
        self._objects.shutdown(wait=True)

    def metadata(self) -> safe.Metadata:
        if self._metadata is None:
            self._metadata = safe.read_metadata(self.name, self._wait_for("product"), self._wait_for("tile"))
        return self._metadata

    def band_path(self, band: str) -> str:
        if band not in self._done or band not in BANDS:
            raise ProductError(f"band {band} was not fetched; add it to the job's bands ({', '.join(self.bands)})")
        return self._wait_for(band)

    def wait(self) -> None:
        for role in self._done:
            self._wait_for(role)

    def _wait_for(self, role: str) -> str:
        started = time.time()
        try:
            return self._done[role].result()
        finally:
            self.wait_seconds += time.time() - started

    def _path(self, role: str) -> str:
        return os.path.join(self.folder, *self._entry.objects[role][0].split("/"))

    def _request(self, role: str) -> "List[Future[None]]":
        """Make the object's file at its full size and queue its parts."""
        path, (name, size) = self._path(role), self._entry.objects[role]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.truncate(size)
        return [self._parts.submit(self._fetch_part, self._entry.prefix + name, path, first, min(PART, size - first))
                for first in range(0, size, PART)]

    def _fetch_part(self, key: str, path: str, first: int, count: int) -> None:
        if self._ended.is_set():
            return
        data = self._store.read(key, first, count)
        with open(path, "r+b") as stream:
            stream.seek(first)
            stream.write(data)
        with self._lock:
            self.bytes_fetched += count

    def _finish(self, role: str, parts: "List[Future[None]]") -> str:
        """Wait for the object's parts and verify it; the path of its file."""
        for part in parts:
            part.result()
        if self._ended.is_set():
            raise ProductError("the transfer was ended")
        path = self._path(role)
        if role == "manifest":
            self._checksums = safe.read_manifest(path)
        else:
            self._verify(role, path)
        self.fetch_seconds = time.time() - self._started
        return path

    def _verify(self, role: str, path: str) -> None:
        """Raise CorruptError unless the file is what the manifest says and, for a band, a whole JPEG 2000."""
        name, size = self._entry.objects[role]
        said = (self._checksums or {}).get(name)
        if said:
            if said.size != size:
                raise CorruptError(f"{name} has {size} bytes in the store, and {said.size} by {safe.MANIFEST}")
            if said.algorithm:
                digest = _digest(path, said.algorithm)
                if digest != said.digest:
                    raise CorruptError(f"{name} has {said.algorithm} {digest[:12]}…, and {said.digest[:12]}… by"
                                       f" {safe.MANIFEST}")
                self.verified = f"size, {said.algorithm}"
        if role in BANDS:
            codestream.check(path)


def _digest(path: str, algorithm: str) -> str:
    digest = hashlib.new(algorithm)
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
