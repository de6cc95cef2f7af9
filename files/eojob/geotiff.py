"""The GeoTIFF of a result, and how GDAL is run: one thread per rank, a bounded cache, and no warning overlooked."""

import contextlib
import logging
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import rasterio
from rasterio.errors import RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window

from . import safe
from .errors import EojobError

BLOCK = 512  # side of a tile, pixels

# Measured on 3 x 5490^2 uint16: deflate 1.4 s and 106 MB, zstd 0.4 s and 112 MB, lzw 2.0 s and 125 MB, none 181 MB.
_COMPRESSION: Dict[str, Dict[str, Any]] = {
    "deflate": {"compress": "deflate", "zlevel": 1, "predictor": 2},
    "zstd": {"compress": "zstd", "zstd_level": 1, "predictor": 2},
    "lzw": {"compress": "lzw", "predictor": 2},
    "none": {},
}


def environment() -> Any:
    """GDAL's settings for one rank per core; use as a context manager around all work of a rank."""
    return rasterio.Env(
        GDAL_NUM_THREADS="1",  # unset means all CPUs on windowed reads
        GDAL_CACHEMAX=64 * 1024 * 1024,  # bytes (rasterio passes numbers on as such); unset means 5 % of the RAM
        GDAL_PAM_ENABLED="NO",  # no .aux.xml beside results
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR")


class _Collector(logging.Handler):
    """Keeps the messages that rasterio logs for GDAL."""

    def __init__(self, level: int) -> None:
        super().__init__(level)
        self.messages: List[str] = []

    def emit(self, record: logging.LogRecord) -> None:
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
    """What a result says about its origin; `bands` in the order of the file."""
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

    def write(self, index: int, top: int, values: np.ndarray) -> None:
        """Rows of plane `index` (from 0) from row `top` on; `values` is (rows, columns) uint16."""
        self._dataset.write(values, index + 1, window=Window(0, top, values.shape[1], values.shape[0]))

    def close(self) -> None:
        self._dataset.close()


def check_compression(compress: str) -> None:
    """Raise EojobError when this GDAL cannot write GeoTIFFs compressed so."""
    from rasterio.io import MemoryFile
    advice = f"compress: this GDAL ({rasterio.__gdal_version__}) cannot write '{compress}'; choose deflate"
    with raising(advice, EojobError), MemoryFile(ext=".tif") as memory, memory.open(
            driver="GTiff", height=16, width=16, count=1, dtype="uint16",
            transform=Affine(10, 0, 0, 0, -10, 0), **_COMPRESSION[compress]) as dataset:
        dataset.write(np.zeros((1, 16, 16), dtype="uint16"))
