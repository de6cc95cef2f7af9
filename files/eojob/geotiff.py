"""The GeoTIFF of a result, and how GDAL is run: one thread per rank, a bounded cache, and no warning overlooked."""

import contextlib
import logging
import threading
import warnings
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from . import safe
from .errors import EojobError

BLOCK = 512     # side of a tile, pixels
PREVIEW = 1024  # longest side of what is kept for the quicklook, pixels

# A picture and a bare codestream need no place on the ground. Not within the functions that open them: Python keeps one
# list of filters for all threads.
warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

# Measured on 3 x 5490^2 uint16: deflate 1.4 s and 106 MB, zstd 0.4 s and 112 MB, lzw 2.0 s and 125 MB, none 0.1 s and
# 181 MB. QGIS opens all of them; SNAP opens zstd from the version on whose imageio-ext is 1.3.10 (12 has it, 9 not).
_COMPRESSION: Dict[str, Dict[str, Any]] = {
    "deflate": {"compress": "deflate", "zlevel": 1, "predictor": 2},
    "zstd": {"compress": "zstd", "zstd_level": 1, "predictor": 2},
    "lzw": {"compress": "lzw", "predictor": 2},
    "none": {},
}


def environment(threads: int = 1) -> Any:
    """GDAL's settings for a rank that uses `threads` cores; use as a context manager around all work of a rank."""
    return rasterio.Env(
        GDAL_NUM_THREADS=str(threads),  # unset means all CPUs on windowed reads
        GDAL_CACHEMAX=64 * 1024 * 1024,  # bytes (rasterio passes numbers on as such); unset means 5 % of the RAM
        GDAL_PAM_ENABLED="NO",  # no .aux.xml beside results
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")


class _Collector(logging.Handler):
    """Keeps the messages that rasterio logs for GDAL."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self._thread = threading.get_ident()
        self.messages: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:  # another thread of this rank publishes the product before this one
            self.messages.append(record.getMessage())


@contextlib.contextmanager
def raising(what: str, error_class: type, level: int = logging.ERROR) -> Iterator[None]:
    """Turn exceptions of rasterio into `error_class`("`what`: message"), and what it only logs from `level` on."""
    logger, collector = logging.getLogger("rasterio"), _Collector(level)
    logger.addHandler(collector)
    try:
        yield
    except (RasterioError, OSError) as error:  # RasterioIOError became a RasterioError with 1.3
        raise error_class(f"{what}: {error.__cause__ or error}") from error
    finally:
        logger.removeHandler(collector)
    if collector.messages:
        raise error_class(f"{what}: {collector.messages[0]}")


def tags(metadata: safe.Metadata, bands: Sequence[str], resolution: int, downsampling: str) -> Dict[str, str]:
    """What a result says about its origin; `bands` in the order of the file, `downsampling` as a person reads it."""
    offsets = [str(metadata.offsets[band]) for band in bands]
    return {
        "PRODUCT": metadata.name,
        "PROCESSING_BASELINE": metadata.baseline,
        "SENSING_TIME": metadata.sensing_time,
        "QUANTIFICATION_VALUE": metadata.quantification,
        "RADIO_ADD_OFFSET": offsets[0] if len(set(offsets)) == 1 else ",".join(offsets),
        "RESOLUTION": str(resolution),
        "DOWNSAMPLING": downsampling,
    }


def attribution(metadata: safe.Metadata) -> str:
    """The notice that the Copernicus licence asks of modified data."""
    return f"Contains modified Copernicus Sentinel data {metadata.sensing_time[:4]}"


class Writer:
    """A tiled, compressed GeoTIFF of uint16, one plane per band, written from top to bottom."""

    def __init__(self, path: str, shape: Tuple[int, int], bands: Sequence[str], epsg: int, corner: Tuple[float, float],
                 resolution: int, compress: str, file_tags: Dict[str, str]) -> None:
        """
        Args:
            shape: rows, columns.
            bands: description of each plane.
            corner: x and y of the upper-left corner (m, in `epsg`).
            resolution: m.
        """
        rows, columns = shape
        block = min(BLOCK, 16 * -(-max(rows, columns) // 16))  # TIFF wants multiples of 16
        self._dataset = rasterio.open(
            path, "w", driver="GTiff", height=rows, width=columns, count=len(bands), dtype="uint16", nodata=0,
            crs=f"EPSG:{epsg}", transform=Affine(resolution, 0, corner[0], 0, -resolution, corner[1]),
            tiled=True, blockxsize=block, blockysize=block, interleave="band", photometric="minisblack",
            bigtiff="if_safer", **_COMPRESSION[compress])
        self._dataset.update_tags(**file_tags)
        for index, band in enumerate(bands, 1):
            self._dataset.set_band_description(index, band)
        self._step = -(-max(rows, columns) // PREVIEW)
        size = tuple(-(-side // self._step) for side in shape)
        self.preview = [np.zeros(size, dtype="uint16") for _ in bands]  # every `step`-th pixel of each plane

    def write(self, index: int, top: int, values: np.ndarray) -> None:
        """Rows of plane `index` (from 0) from row `top` on; `values` is (rows, columns) uint16."""
        self._dataset.write(values, index + 1, window=Window(0, top, values.shape[1], values.shape[0]))
        first = -(-top // self._step)
        few = values[first * self._step - top::self._step, ::self._step]
        self.preview[index][first:first + len(few)] = few

    def close(self) -> None:
        self._dataset.close()


def to_cog(source: str, path: str, compress: str) -> None:
    """Write the GeoTIFF `source` as a Cloud Optimized GeoTIFF with overviews (means of pixels with data) to `path`."""
    level = {} if compress == "lzw" else {"level": 1}
    rasterio.shutil.copy(source, path, driver="COG", compress=compress, predictor="yes", blocksize=BLOCK,
                         bigtiff="if_safer", overviews="auto", overview_resampling="average", **level)


def check(compress: str, file_format: str) -> None:
    """Raise EojobError when this GDAL cannot write GeoTIFFs compressed so, or in this format."""
    from rasterio.io import MemoryFile
    with environment() as env:
        if file_format == "cog" and "COG" not in env.drivers():
            raise EojobError(f"format: this GDAL ({rasterio.__gdal_version__}) writes no \"cog\", which came with 3.1;"
                             " use geotiff, or a newer rasterio")
    advice = f"compress: this GDAL ({rasterio.__gdal_version__}) cannot write '{compress}'; choose deflate"
    with raising(advice, EojobError), MemoryFile(ext=".tif") as memory, memory.open(
            driver="GTiff", height=16, width=16, count=1, dtype="uint16",
            transform=Affine(10, 0, 0, 0, -10, 0), **_COMPRESSION[compress]) as dataset:
        dataset.write(np.zeros((1, 16, 16), dtype="uint16"))
