"""Building the archive on disk: only what is missing or outdated, in parallel, each product at once or not at all."""

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import rasterio

from sample_archive import swath
from sample_archive.errors import SampleArchiveError
from sample_archive.product import write_product
from sample_archive.source import read_bands
from sample_archive.spec import ProductSpec

MIN_SIZE = 192  # 32 pixels at 60 m: the least that five resolution levels make sense for
_SIZE_STEP = 6
_STATE = ".sample_archive"  # folder under the archive's root for sidecars and unfinished products
_BYTES_PER_PIXEL = 6.3  # all files of a product for one covered pixel at 10 m, as measured
_BYTES_PER_PRODUCT = 900_000  # metadata and masks
_SCRATCH_BYTES_PER_PIXEL = 8  # raw file of the largest mask while a product is made
_UNRELATED = {"__main__.py", "build.py", "catalogue.py", "cli.py", "errors.py", "upload.py"}


class Made(NamedTuple):
    """A product that was made: its size in bytes and the time it took in seconds."""

    spec: ProductSpec
    bytes: int
    seconds: float


class Summary(NamedTuple):
    """How many products were made and how many were there already."""

    made: int
    unchanged: int


def check_size(size: int) -> None:
    """Raise SampleArchiveError unless products of `size` x `size` pixels at 10 m can be made."""
    if size % _SIZE_STEP:
        raise SampleArchiveError(f"size {size} is not a multiple of {_SIZE_STEP}: bands of 20 m and 60 m would not fit")
    if size < MIN_SIZE:
        raise SampleArchiveError(f"size {size} is too small: the least is {MIN_SIZE}")


def estimate_bytes(spec: ProductSpec, size: int) -> int:
    """Return roughly how many bytes a product will take."""
    return _BYTES_PER_PRODUCT + round(size * size * swath.covered_fraction(spec.swath) * _BYTES_PER_PIXEL)


def build(
    specs: Sequence[ProductSpec], out: Path, size: int, sdist: Path, jobs: int, report: Callable[[Made], None]
) -> Summary:
    """Make the products that are missing under `out` or were made from another spec or by another generator.

    `report` is called for each product made. Raises SampleArchiveError when the size is impossible, the disk too
    small or not writable, or a folder is in the way that this program did not make.
    """
    check_size(size)
    state = out / _STATE
    try:
        state.mkdir(parents=True, exist_ok=True)
        wanted = [spec for spec in specs if not _is_current(spec, out, size)]
        if wanted:
            _check_disk(wanted, out, size, jobs)
            for made in _build_all(wanted, out, size, sdist, min(jobs, len(wanted))):
                report(made)
    except OSError as error:
        raise SampleArchiveError(f"cannot write to {out}: {error.strerror or error}") from error
    return Summary(len(wanted), len(specs) - len(wanted))


def _build_all(specs: Sequence[ProductSpec], out: Path, size: int, sdist: Path, jobs: int) -> Iterator[Made]:
    """Yield the products in the order in which they get ready."""
    if jobs == 1:
        yield from (_build_one(spec, out, size, sdist) for spec in specs)
        return
    # "spawn", as a forked process would inherit the state of GDAL's and boto3's threads.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(_build_one, spec, out, size, sdist) for spec in specs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise SampleArchiveError("a worker process was killed; is there too little memory? Try --jobs 1") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _build_one(spec: ProductSpec, out: Path, size: int, sdist: Path) -> Made:
    began = time.monotonic()
    product, sidecar = out / spec.folder, _sidecar(spec, out)
    with tempfile.TemporaryDirectory(dir=out / _STATE, prefix=f"{spec.name}.") as folder:
        unfinished, outdated, new_sidecar = Path(folder, "new"), Path(folder, "old"), Path(folder, "sidecar")
        write_product(spec, size, read_bands(sdist), unfinished)
        new_sidecar.write_text(json.dumps({"digest": _digest(spec, size)}) + "\n", encoding="utf-8")
        # In this order a run that is stopped leaves no product without its sidecar, nor one with another's.
        if product.exists():
            os.rename(product, outdated)
        os.replace(new_sidecar, sidecar)
        product.parent.mkdir(parents=True, exist_ok=True)
        os.rename(unfinished, product)
    total = sum(path.stat().st_size for path in product.rglob("*") if path.is_file())
    return Made(spec, total, time.monotonic() - began)


def _is_current(spec: ProductSpec, out: Path, size: int) -> bool:
    product, sidecar = out / spec.folder, _sidecar(spec, out)
    if not product.exists():
        return False
    if not sidecar.exists():
        raise SampleArchiveError(f"{product} is in the way: this program did not make it, and leaves it alone")
    recorded: dict[str, str] = json.loads(sidecar.read_text(encoding="utf-8"))
    return recorded["digest"] == _digest(spec, size)


def _sidecar(spec: ProductSpec, out: Path) -> Path:
    return out / _STATE / f"{spec.name}.json"


def _digest(spec: ProductSpec, size: int) -> str:
    """Return what identifies a product's content: its spec and size, and the generator."""
    return hashlib.sha256(f"{spec!r} {size} {_generator_digest()}".encode()).hexdigest()


@cache
def _generator_digest() -> str:
    """Return a digest of everything that shapes the products: the code, the templates and GDAL's version."""
    digest = hashlib.sha256(rasterio.__gdal_version__.encode())
    package = Path(__file__).parent
    for path in sorted([*package.glob("*.py"), *package.glob("templates/*.j2")]):
        if path.name not in _UNRELATED:
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _check_disk(specs: Sequence[ProductSpec], out: Path, size: int, jobs: int) -> None:
    needed = sum(estimate_bytes(spec, size) for spec in specs) + jobs * size * size * _SCRATCH_BYTES_PER_PIXEL
    free = shutil.disk_usage(out).free
    if free < needed:
        raise SampleArchiveError(
            f"too little disk space at {out}: {len(specs)} products need about {needed / 1e6:.0f} MB, "
            f"and {free / 1e6:.0f} MB are free"
        )
