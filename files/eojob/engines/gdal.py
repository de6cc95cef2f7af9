"""The engine `gdal`: SNAP's Resample and Subset on rasterio, equal to SNAP's own pixel by pixel.

A product is a description until it is written. Then each band is decoded at full resolution in windows of one row of
JPEG 2000 tiles, reduced, and written in rows of GeoTIFF tiles: about 180 MB per rank on a tile of 10980 x 10980.

A JP2 answers a request for fewer pixels (`out_shape`, overviews) with a wavelet approximation, which is neither First
nor Mean. Only a job of the method "wavelet" reads so, and its results say it.
"""

import logging
import os
import time
from collections import deque
from typing import Any, Callable, Deque, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np
import rasterio
from rasterio.windows import Window

from .. import bands as band_table
from .. import geotiff, reduced, safe
from ..errors import CorruptError, EojobError, ProductError
from . import Engine, Source, unsupported

_WINDOW_ROWS = 1024
_LARGEST_UINT32_FACTOR = 256  # 256 * 256 * 65535 still fits uint32


class GdalProduct(NamedTuple):
    """What is to be computed from a source."""

    source: Source
    bands: Tuple[str, ...]
    resolution: Optional[int] = None  # m; None before Resample
    downsampling: Tuple[str, ...] = ("First",)
    copy_metadata: bool = True


class GdalEngine(Engine):
    """Resample (First, Mean; Nearest) and Subset (sourceBands) to GeoTIFF."""

    _scratch = ""     # the rank's own folder on local disk
    _decoding = 0.0   # s, of the product at hand, with what it has waited for

    def check(self) -> None:
        with geotiff.environment() as env:
            if "JP2OpenJPEG" not in env.drivers():
                raise EojobError(f"engine: this GDAL ({rasterio.__gdal_version__}) reads no JPEG 2000 (JP2OpenJPEG);"
                                 " install rasterio from PyPI's wheels")
            geotiff.check(self.job.compress, self.job.format)

    def read_product(self, source: Source) -> GdalProduct:
        return GdalProduct(source, source.bands)

    def create_product(self, operator: str, parameters: Dict[str, Any], product: GdalProduct) -> GdalProduct:
        operators = {"Resample": _resample, "Subset": _subset}
        if operator not in operators:
            raise EojobError(f"operator '{operator}' is unknown; engine gdal supports {', '.join(operators)}")
        return operators[operator](parameters, product)

    def write_product(self, product: GdalProduct, path: str, format_name: str) -> None:
        if format_name.lower() != "geotiff":
            raise EojobError(f"format '{format_name}' is unknown; engine gdal writes GeoTIFF")
        metadata = product.source.metadata()
        resolution, shape, corner = _output_grid(product, metadata)
        levels = {band: self._levels(band, resolution) for band in product.bands}
        words = ",".join(product.downsampling) if not any(levels.values()) else "wavelet (approximate)"
        planes = _planes(product)
        tags = geotiff.tags(metadata, [band for band, _ in planes], resolution, words) if product.copy_metadata else {}
        tags["TIFFTAG_COPYRIGHT"] = geotiff.attribution(metadata)
        plain = path if self.job.format == "geotiff" else os.path.join(self._scratch, "plain.tif")
        self._decoding = 0.0
        waited, started = product.source.wait_seconds, time.time()
        with geotiff.environment(), geotiff.raising(f"{os.path.basename(path)} cannot be written", ProductError):
            writer = geotiff.Writer(plain, shape, [name for _, name in planes], metadata.epsg, corner, resolution,
                                    self.job.compress, tags)
            try:
                for index, band in enumerate(product.bands):
                    self._write_band(writer, index, product, metadata, resolution, levels[band])
            finally:
                writer.close()
            if plain != path:
                geotiff.to_cog(plain, path, self.job.compress)
                os.remove(plain)
        # The first downsampling's planes come first, and bear the bands' own names for the quicklook.
        self.previews[path] = list(product.bands), writer.preview[:len(product.bands)]
        waited = product.source.wait_seconds - waited
        self.seconds["decode"] = self._decoding - waited
        self.seconds["write"] = time.time() - started - self._decoding

    def start(self, scratch: str) -> None:
        self._scratch = scratch

    def _levels(self, band: str, resolution: int) -> int:
        """How often the wavelet transform halves the band in this job; 0: it is decoded as it is."""
        if self.job.method != "wavelet":
            return 0
        return band_table.wavelet_levels(band_table.NATIVE_RESOLUTION[band], resolution)

    def _write_band(self, writer: geotiff.Writer, index: int, product: GdalProduct, metadata: safe.Metadata,
                    resolution: int, levels: int) -> None:
        band, source = product.bands[index], product.source
        strips = self._strips(source, metadata, band, resolution, product.downsampling, levels)
        top = 0
        while True:
            asked = time.time()
            strip = next(strips, None)
            self._decoding += time.time() - asked
            if strip is None:
                break
            for plane, values in zip(range(index, len(writer.preview), len(product.bands)), strip):
                writer.write(plane, top, values)
            top += len(strip[0])
        if levels:
            self.approximation[band] = _error(source, band, levels)

    def _strips(self, source: Source, metadata: safe.Metadata, band: str, resolution: int,
                downsampling: Tuple[str, ...], levels: int) -> Iterator[Tuple[np.ndarray, ...]]:
        """The band at `resolution`, top to bottom, in strips as high as a GeoTIFF's tile.

        Each is (rows, columns) uint16 for every downsampling asked; the band is decoded once.
        """
        path, native = source.band_path(band), band_table.NATIVE_RESOLUTION[band]
        dropped = levels if source.reduction(band) else 0
        blocks = _windows(path, levels - dropped, self.cores,
                          lambda dataset: _check_band(dataset, native, metadata, dropped, levels - dropped))
        side = native << levels  # m, of the pixels in `blocks`
        yield from zip(*(_regroup(_resampled(copy, side, resolution, name), geotiff.BLOCK)
                         for copy, name in zip(_copies(blocks, len(downsampling)), downsampling)))


def _copies(blocks: Iterator[np.ndarray], count: int) -> List[Iterator[np.ndarray]]:
    """Iterators over the same blocks, which hold none that all have passed (itertools.tee keeps up to 57)."""
    queues: List[Deque[np.ndarray]] = [deque() for _ in range(count)]

    def copy(queue: Deque[np.ndarray]) -> Iterator[np.ndarray]:
        while True:
            if not queue:
                block = next(blocks, None)
                if block is None:
                    return
                for each in queues:
                    each.append(block)
                del block  # this frame outlives it
            yield queue.popleft()
    return [copy(queue) for queue in queues]


def _planes(product: GdalProduct) -> List[Tuple[str, str]]:
    """The result's planes: each one's band and its own name, which says the downsampling where there are several."""
    if len(product.downsampling) == 1:
        return [(band, band) for band in product.bands]
    return [(band, f"{band}_{name}") for name in product.downsampling for band in product.bands]


def _resampled(blocks: Iterator[np.ndarray], side: int, resolution: int, downsampling: str) -> Iterator[np.ndarray]:
    """Blocks of pixels of `side` m at `resolution` m."""
    if resolution < side:
        return (_repeat(block, side // resolution) for block in blocks)
    return (mean if downsampling == "Mean" else first)(blocks, resolution // side)


def _error(source: Source, band: str, levels: int) -> Dict[str, Any]:
    """How far the band's approximate pixels are off; see `reduced.error`. Empty when the band holds no data."""
    path, reduction = source.band_path(band), source.reduction(band)
    if reduction is None:
        return reduced.error_of_whole(path, levels)
    return reduced.error(path, reduction.sample, reduction.sample_index, levels) if reduction.sample else {}


def _resample(parameters: Dict[str, Any], product: GdalProduct) -> GdalProduct:
    supported = ["targetResolution", "downsampling", "upsampling"]
    unknown = [key for key in parameters if key not in supported]
    if unknown:
        raise unsupported("Resample", unknown, supported)
    if product.resolution is not None:
        raise EojobError("Resample: the product has been resampled already; engine gdal does it once")
    try:
        resolution = int(str(parameters["targetResolution"]))
    except (KeyError, ValueError):
        resolution = 0
    if resolution <= 0:
        raise EojobError(f"Resample: targetResolution is {parameters.get('targetResolution')!r}; give whole metres")
    downsampling = tuple(str(parameters.get("downsampling", "First")).split(","))
    if len(set(downsampling) & {"First", "Mean"}) != len(downsampling):
        raise EojobError(f"Resample: downsampling '{','.join(downsampling)}' is unknown; engine gdal supports First,"
                         " Mean, and both as First,Mean")
    upsampling = str(parameters.get("upsampling", "Nearest"))
    if upsampling != "Nearest":
        raise EojobError(f"Resample: upsampling '{upsampling}' is unknown; engine gdal supports Nearest")
    return product._replace(resolution=resolution, downsampling=downsampling)


def _subset(parameters: Dict[str, Any], product: GdalProduct) -> GdalProduct:
    supported = ["sourceBands", "copyMetadata"]
    unknown = [key for key in parameters if key not in supported]
    if unknown:
        raise unsupported("Subset", unknown, supported)
    asked = parameters.get("sourceBands", product.bands)
    names = asked.split(",") if isinstance(asked, str) else list(asked)
    bands = [band_table.normalise(str(name)) for name in names]
    for name, band in zip(names, bands):
        if band not in product.bands:
            raise EojobError(f"Subset: sourceBands names '{name}', which the product does not hold; it holds"
                             f" {', '.join(product.bands)}: add the band to the job's bands")
    copy = str(parameters.get("copyMetadata", False)).lower() == "true"
    return product._replace(bands=tuple(band for band in bands if band is not None), copy_metadata=copy)


def _output_grid(product: GdalProduct, metadata: safe.Metadata) -> Tuple[int, Tuple[int, int], Tuple[float, float]]:
    """Resolution (m), shape (rows, columns) and upper-left corner (m) of the result. Raises EojobError."""
    natives = {band: band_table.NATIVE_RESOLUTION[band] for band in product.bands}
    resolution = product.resolution
    if resolution is None:
        if len(set(natives.values())) != 1:
            raise EojobError(f"the bands {', '.join(natives)} have pixels of different sizes, which one GeoTIFF cannot"
                             " hold; use Resample first")
        resolution = next(iter(natives.values()))
    grids = set()
    for band, native in natives.items():
        if native not in metadata.grids:
            raise ProductError(f"MTD_TL.xml describes no grid of {native} m, which band {band} needs")
        grid = metadata.grids[native]
        fault = band_table.factor_fault(band, native, resolution)
        if fault is None and (grid.rows * native % resolution or grid.columns * native % resolution):
            fault = f"{grid.columns} x {grid.rows} pixels of {native} m do not make whole pixels of {resolution} m"
        if fault:
            raise EojobError(f"Resample: targetResolution {resolution} does not fit: {fault}")
        grids.add((grid.rows * native // resolution, grid.columns * native // resolution, grid.ulx, grid.uly))
    if len(grids) != 1:
        raise ProductError("MTD_TL.xml gives the bands' grids different corners or extents")
    rows, columns, ulx, uly = grids.pop()
    return resolution, (rows, columns), (ulx, uly)


def _check_band(dataset: Any, native: int, metadata: safe.Metadata, dropped: int, overview: int) -> None:
    """Raise ProductError unless the JP2 is what MTD_TL.xml says of it.

    Args:
        native: m.
        dropped: resolution levels that the file does not hold.
        overview: further levels that the dataset leaves out.
    """
    grid, name = metadata.grids[native], os.path.basename(dataset.name)
    rows, columns = (-(-side // 2 ** (dropped + overview)) for side in (grid.rows, grid.columns))
    found = f"{dataset.count} x {dataset.dtypes[0]} of {dataset.width} x {dataset.height}"
    said = f"1 x uint16 of {columns} x {rows}"
    if found != said:
        raise ProductError(f"{name} holds {found} pixels, and MTD_TL.xml says {said}")
    if dataset.crs is None:
        return  # no georeferencing of its own to compare with
    if dataset.crs.to_epsg() != metadata.epsg:
        raise ProductError(f"{name} is in {dataset.crs}, and MTD_TL.xml says EPSG:{metadata.epsg}")
    side = native * grid.columns / columns
    expected = (side, 0, grid.ulx, 0, -side, grid.uly)
    if any(abs(a - b) > 1e-3 for a, b in zip(dataset.transform[:6], expected)):
        raise ProductError(f"{name} is placed at {tuple(dataset.transform[:6])}, and MTD_TL.xml says {expected}")


def _windows(path: str, levels: int, cores: Callable[[], int], check: Callable[[Any], None]) -> Iterator[np.ndarray]:
    """All rows of a band in blocks of whole rows of its tiles, so that each tile is decoded once.

    Args:
        levels: resolution levels of the file to leave out; 0 for none.
        cores: how many to decode with, asked before each block.
        check: raises when the opened dataset is not what it should be.
    """
    name, top, height = os.path.basename(path), 0, 1
    while top < height:
        threads = cores()
        # GDAL keeps the number of threads that it had when the dataset was opened.
        with geotiff.environment(threads), geotiff.raising(f"{name} cannot be opened", CorruptError):
            dataset = rasterio.open(path, **({"overview_level": levels - 1} if levels else {}))
        with dataset:
            check(dataset)
            height, rows = dataset.height, dataset.block_shapes[0][0]
            step = max(1, _WINDOW_ROWS // rows) * rows
            while top < height and cores() == threads:
                window = Window(0, top, dataset.width, min(step, height - top))
                # OpenJPEG only warns of some faults and gives zeros in their place.
                with geotiff.environment(threads), geotiff.raising(f"{name} cannot be decoded", CorruptError,
                                                                   logging.WARNING):
                    block = dataset.read(1, window=window)
                top += step
                yield block


def first(blocks: Iterator[np.ndarray], factor: int) -> Iterator[np.ndarray]:
    """SNAP's downsampling First: the upper-left pixel of each `factor` x `factor` cell.

    Args:
        blocks: consecutive rows of an image, (any number of rows, columns).
    """
    top = 0
    for block in blocks:
        yield block[-top % factor::factor, ::factor]
        top += len(block)


def mean(blocks: Iterator[np.ndarray], factor: int) -> Iterator[np.ndarray]:
    """SNAP's downsampling Mean: the mean of each `factor` x `factor` cell over its pixels with data, rounded down.

    Zeros (no data) do not count, and a cell of zeros stays zero; so it is in SNAP's own LongDataAggregator.Mean, which
    passes over the band's no-data value.

    Args:
        blocks: consecutive rows of an image, (any number of rows, columns), as many in all as `factor` divides.
    """
    accumulator = np.uint32 if factor <= _LARGEST_UINT32_FACTOR else np.uint64
    rest: Optional[np.ndarray] = None
    for block in blocks:
        rows = block if rest is None else np.concatenate((rest, block))
        whole = len(rows) // factor * factor
        rest = rows[whole:]
        cells = rows[:whole].reshape(whole // factor, factor, rows.shape[1] // factor, factor)
        sums = cells.sum(axis=(1, 3), dtype=accumulator)
        if rows.all():
            counts = np.full_like(sums, factor * factor)
        else:
            counts = np.maximum(np.count_nonzero(cells, axis=(1, 3)), 1).astype(accumulator)
        yield (sums // counts).astype(block.dtype)


def _repeat(block: np.ndarray, factor: int) -> np.ndarray:
    """SNAP's upsampling Nearest by a whole factor."""
    return block.repeat(factor, axis=0).repeat(factor, axis=1)


def _regroup(blocks: Iterator[np.ndarray], height: int) -> Iterator[np.ndarray]:
    """The same rows in blocks of `height`; the last may be lower."""
    held: List[np.ndarray] = []
    count = 0
    for block in blocks:
        held.append(block)
        count += len(block)
        if count >= height:
            rows = np.concatenate(held)
            whole = count // height * height
            for top in range(0, whole, height):
                yield rows[top:top + height]
            held, count = [rows[whole:].copy()], count - whole
    if count:
        yield np.concatenate(held)
