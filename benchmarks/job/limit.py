"""The decode limit: how long the decoder alone takes for the same bands, from local disk, with all cores busy.

Every process decodes one band after the other as files/eojob/engines/gdal.py does, by windows of whole rows of tiles
("exact") or at half resolution ("wavelet"), and does nothing with the pixels. The largest come first; a process that
finds none left decodes on without counting until the others are done, as an idle core would make theirs faster.
"""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing.queues import SimpleQueue
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import rasterio
from rasterio.windows import Window

from job.local import band_file

METHODS = ("exact", "wavelet")
_WINDOW_ROWS = 1024
_BLOCK = 1 << 24  # bytes


def decode(path: Path, method: str) -> Iterator[None]:
    """Decode a band, one window after the other."""
    level: dict[str, Any] = {} if method == "exact" else {"overview_level": 0}
    with rasterio.open(path, **level) as dataset:
        if method == "wavelet":
            dataset.read(1)
            yield
            return
        height = dataset.block_shapes[0][0]
        step = max(1, _WINDOW_ROWS // height) * height
        for top in range(0, dataset.height, step):
            dataset.read(1, window=Window(0, top, dataset.width, min(step, dataset.height - top)))
            yield


def _work(files: list[Path], method: str, taken: "Synchronized[int]", done: "Synchronized[int]",
          results: "SimpleQueue[tuple[int, float]]") -> None:
    with rasterio.Env(GDAL_NUM_THREADS="1", GDAL_CACHEMAX=64 * 1024 * 1024, GDAL_PAM_ENABLED="NO"):
        while True:
            with taken.get_lock():
                index = taken.value
                taken.value += 1
            if index >= len(files):
                break
            started = time.monotonic()
            for _ in decode(files[index], method):
                pass
            results.put((index, time.monotonic() - started))
            with done.get_lock():
                done.value += 1
        while done.value < len(files):
            for _ in decode(files[-1], method):
                if done.value >= len(files):
                    break


def all_tasks(products: Sequence[Path], bands: Sequence[str]) -> list[tuple[str, Path]]:
    """Product and file of each band to decode, the largest first; `products` are folders NAME.SAFE."""
    found = [(product.stem, band_file(product, band)) for product in products for band in bands]
    return sorted(found, key=lambda task: -task[1].stat().st_size)


def measure(tasks: Sequence[tuple[str, Path]], processes: int, method: str) -> dict[str, float]:
    """Seconds of decoding by product, of those bands of it that are among the tasks.

    Raises RuntimeError when a process ended before its time.
    """
    if not tasks:
        return {}
    for _, path in tasks:
        with path.open("rb") as stream:  # the disk is not what is measured
            while stream.read(_BLOCK):
                pass
    context = multiprocessing.get_context("spawn")
    taken, done = context.Value("i", 0), context.Value("i", 0)
    results: SimpleQueue[tuple[int, float]] = context.SimpleQueue()
    workers = [context.Process(target=_work, args=([path for _, path in tasks], method, taken, done, results))
               for _ in range(processes)]
    for worker in workers:
        worker.start()
    try:
        for worker in workers:
            worker.join()
    finally:
        for worker in workers:
            worker.terminate()  # when this process was told to stop
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(f"a process that measured the decoder ended with {[w.exitcode for w in workers]}")
    seconds: dict[str, float] = {}
    while not results.empty():
        index, each = results.get()
        name = tasks[index][0]
        seconds[name] = seconds.get(name, 0.0) + each
    return seconds
