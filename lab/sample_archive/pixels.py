"""The pixels of a product: those of the source scene, moved, mirrored and dimmed as the product's spec says."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sample_archive import swath
from sample_archive.bands import BANDS
from sample_archive.source import COLUMNS_60M, ROWS_60M
from sample_archive.spec import ProductSpec

OFFSET = 1000  # added to digital numbers from baseline 04.00 on
NODATA = 0
_MAX_DN = 2**15 - 1  # bands are coded with 15 bits
_TCI_WHITE = 3558  # reflectance x 10000 that ESA's true colour image shows as 255
_RESOLUTION = {band.name: band.resolution for band in BANDS}

Strip = tuple[int, NDArray[np.uint8] | NDArray[np.uint16]]
"""First row, and pixels of shape (channels, rows, columns)."""


class Scene:
    """Pixels of one product of `size` x `size` pixels at 10 m, computed a strip of rows at a time."""

    def __init__(self, spec: ProductSpec, size: int, source: Mapping[str, NDArray[np.uint16]]) -> None:
        """Take the source's bands as `source.read_bands` returns them."""
        self.spec = spec
        self.size = size
        self._source = source

    def side(self, resolution: int) -> int:
        """Return the number of rows (and columns) at a resolution in m."""
        return self.size * 10 // resolution

    def valid(self, rows: NDArray[np.intp], resolution: int) -> NDArray[np.bool_]:
        """Return which pixels of the given rows the swath covers, shape (len(rows), side)."""
        return swath.inside(self.spec.swath, swath.cross_track(rows, self.side(resolution)))

    def reflectance(self, band: str, rows: NDArray[np.intp]) -> NDArray[np.int32]:
        """Return reflectance x 10000 of the given rows without offset and nodata, shape (len(rows), side)."""
        scale = 60 // _RESOLUTION[band]
        columns = np.arange(self.side(_RESOLUTION[band]))
        moved = self.spec.variation
        source_rows = _mirror(rows, ROWS_60M * scale, _shift(moved[0:2], ROWS_60M) * scale)
        source_columns = _mirror(columns, COLUMNS_60M * scale, _shift(moved[2:4], COLUMNS_60M) * scale)
        pixels = self._source[band][np.ix_(source_rows, source_columns)].astype(np.int32)
        return (pixels * self.spec.brightness + 500) // 1000

    def digital_numbers(self, band: str, rows: NDArray[np.intp]) -> NDArray[np.uint16]:
        """Return the given rows of a band as stored, shape (len(rows), side)."""
        offset = OFFSET if self.spec.datatake.has_offset else 0
        numbers = np.minimum(self.reflectance(band, rows) + offset, _MAX_DN)
        return np.where(self.valid(rows, _RESOLUTION[band]), numbers, NODATA).astype(np.uint16)

    def true_colour(self, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        """Return the given rows of the true colour image, shape (3, len(rows), side); 0 is nodata."""
        colours = np.stack([self._shown(band, rows) for band in ("B04", "B03", "B02")])
        colours[:, ~self.valid(rows, 10)] = NODATA
        return colours

    def band_strips(self, band: str, height: int) -> Iterator[Strip]:
        """Yield a band in strips of `height` rows."""
        for rows in strip_rows(self.side(_RESOLUTION[band]), height):
            yield int(rows[0]), self.digital_numbers(band, rows)[np.newaxis]

    def true_colour_strips(self, height: int) -> Iterator[Strip]:
        """Yield the true colour image in strips of `height` rows."""
        for rows in strip_rows(self.size, height):
            yield int(rows[0]), self.true_colour(rows)

    def _shown(self, band: str, rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.clip(1 + self.reflectance(band, rows) * 254 // _TCI_WHITE, 1, 255).astype(np.uint8)


def strip_rows(side: int, height: int) -> Iterator[NDArray[np.intp]]:
    """Yield the row numbers of each strip of an image of `side` rows."""
    for first in range(0, side, height):
        yield np.arange(first, min(first + height, side))


def _shift(chosen: bytes, length: int) -> int:
    """Turn two bytes into a shift within the mirrored tiling's period, twice the source's length."""
    return int.from_bytes(chosen, "big") % (2 * length)


def _mirror(index: NDArray[np.intp], length: int, shift: int) -> NDArray[np.intp]:
    """Map target to source indices: tiles of `length` pixels, every second one mirrored, moved by `shift`."""
    position = (index + shift) % (2 * length)
    return np.where(position < length, position, 2 * length - 1 - position)
