"""A JPEG 2000 band at half, a quarter, ... of its resolution, from only those bytes of its object that this needs.

A tile keeps its lower resolutions at its start, so the start of every tile, with the image's size and the number of
wavelet levels corrected in the main header, is a legal smaller codestream. Decoded, it is what GDAL gives as overview
`levels` - 1 of the whole file: the wavelet's low-pass band, which is neither First nor Mean. How far it is from them is
measured on one tile, of which all bytes are fetched.
"""

import logging
import os
import struct
from concurrent.futures import Executor
from typing import Any, Dict, NamedTuple, Optional

import numpy as np
import rasterio
from rasterio.windows import Window

from . import codestream, geotiff, reduced_header, reduced_parts
from .errors import CorruptError
from .reduced_header import Header, NotReducibleError
from .reduced_parts import Ranges, Span, TilePart

__all__ = ["NotReducibleError", "Reduced", "error", "fetch"]

# A tile with fewer bytes than a 64th of its pixels holds next to no data; textured DN take nearly a byte a pixel.
_EMPTY = 64


class Reduced(NamedTuple):
    """What `fetch` has fetched and written."""

    bytes_fetched: int
    requests: int
    sample: Optional[str]  # path of one whole tile as an image of its own; None when no tile holds data
    sample_index: int      # which tile that is, row by row from 0; -1 without


class _Kept(NamedTuple):
    """A tile in the object (`part` without its packets) and its kept packets in the file that is written."""

    part: TilePart
    position: int
    size: int


def fetch(read: codestream.Read, size: int, levels: int, path: str, pool: Executor) -> Reduced:
    """Write the JP2 object of `size` bytes, halved `levels` (1 or more) times, to `path` as a raw codestream (.j2k).

    Args:
        read: gives exactly `count` bytes from byte `first` on; runs on `pool` only, where `fetch` itself must not run.
        path: the sample is written beside it.

    Raises NotReducibleError when the object's layout does not allow it (fetch it whole), CorruptError when the object
    is broken, and what `read` raises.
    """
    ranges = Ranges(read, size, pool)
    try:
        return _fetch(ranges, levels, path)
    except NotReducibleError as error:
        raise NotReducibleError(f"{os.path.basename(path)} cannot be had at a lower resolution: {error}") from error
    except (struct.error, ValueError, LookupError) as error:
        raise CorruptError(f"{os.path.basename(path)} is not made of a whole JPEG 2000 file ({error}, {size} bytes)"
                           ) from error


def _fetch(ranges: Ranges, levels: int, path: str) -> Reduced:
    head = Span(ranges, 0, ranges.submit(0, reduced_parts.SLACK).result())
    start, end = codestream.bounds(head.header, ranges.size)
    header = reduced_header.parse(head.header, start, end, levels)
    tail = ranges.submit(end - 2, 2)
    kept: Dict[int, _Kept] = {}
    with open(path, "w+b") as stream:
        stream.write(header.reduced(levels))
        for part in reduced_parts.tile_parts(ranges, head, header, end - 2, levels):
            if part.tile in kept:
                raise ValueError(f"tile {part.tile} is there twice")
            stream.write(_tile_part_header(part.tile, len(part.kept)))
            kept[part.tile] = _Kept(part._replace(kept=b""), stream.tell(), len(part.kept))
            stream.write(part.kept)
        if len(kept) != header.tiles():
            raise ValueError(f"{len(kept)} of {header.tiles()} tiles are there")
        eoc = struct.pack(">H", codestream.EOC)
        if tail.result() != eoc:
            raise ValueError("no end of codestream")
        stream.write(eoc)
        sample, index = None, _median(kept, header)
        if index >= 0:
            sample = os.path.splitext(path)[0] + "_sample.j2k"
            stream.seek(kept[index].position)
            _write_sample(sample, ranges, header, kept[index], stream.read(kept[index].size))
    return Reduced(ranges.bytes_fetched, ranges.requests, sample, index)


def _tile_part_header(tile: int, count: int) -> bytes:
    """SOT and SOD of a tile with `count` bytes of packets."""
    return struct.pack(">HHHIBBH", codestream.SOT, 10, tile, 14 + count, 0, 1, codestream.SOD)


def _median(kept: Dict[int, _Kept], header: Header) -> int:
    """The tile of median length among those that hold data; -1 when none does."""
    filled = sorted((tile.part.length, index) for index, tile in kept.items()
                    if tile.part.length * _EMPTY > header.pixels(index))
    return filled[len(filled) // 2][1] if filled else -1


def _write_sample(path: str, ranges: Ranges, header: Header, tile: _Kept, packets: bytes) -> None:
    """Write a tile of which `packets` are here already as an image of its own."""
    part = tile.part
    missing = part.offset + part.length - part.data - tile.size
    if missing:
        packets += ranges.submit(part.data + tile.size, missing).result()
    with open(path, "wb") as stream:
        stream.write(header.alone(part.tile) + _tile_part_header(0, len(packets)) + packets
                     + struct.pack(">H", codestream.EOC))


def error(reduced_path: str, sample_path: str, sample_index: int, levels: int) -> Dict[str, Dict[str, float]]:
    """How far a reduced image is from SNAP's First and Mean, over its tile `sample_index`.

    Returns {"first": ..., "mean": ...}, each with `rmse`, `bias` (mean of reduced - exact) and `largest` (magnitude) in
    DN, and `pixels`, the number compared: those with data in either. Raises CorruptError when a file cannot be decoded.
    """
    factor = 2 ** levels
    exact = _decode(sample_path)
    with open(reduced_path, "rb") as stream:
        head = stream.read(4096)  # more than the main header that `fetch` writes
    header = reduced_header.parse(lambda first, count: head[first:first + count], 0, len(head), 0)
    x0, y0, x1, y1 = header.box(sample_index)
    return _errors(_decode(reduced_path, Window(x0, y0, x1 - x0, y1 - y0)), exact, factor)


def error_of_whole(path: str, levels: int) -> Dict[str, Dict[str, float]]:
    """`error` for a file that holds all resolutions, over the tile in its middle, or near it, that holds data."""
    factor = 2 ** levels
    with geotiff.raising(f"{os.path.basename(path)} cannot be opened", CorruptError), rasterio.open(path) as dataset:
        windows = [window for _, window in dataset.block_windows(1)]
        middle = dataset.height / 2, dataset.width / 2
    windows.sort(key=lambda w: (w.row_off + w.height / 2 - middle[0]) ** 2 + (w.col_off + w.width / 2 - middle[1]) ** 2)
    for window in windows:
        exact = _decode(path, window)
        if exact.any():
            break
    reduced = _decode(path, Window(window.col_off // factor, window.row_off // factor,
                                   -(-window.width // factor), -(-window.height // factor)), overview_level=levels - 1)
    return _errors(reduced, exact, factor)


def _errors(reduced: np.ndarray, exact: np.ndarray, factor: int) -> Dict[str, Dict[str, float]]:
    from .engines import gdal  # it imports what fetches, and so this module

    rows, columns = exact.shape
    whole = exact[:rows // factor * factor, :columns // factor * factor]
    mean = np.concatenate(list(gdal.mean(iter([whole]), factor)))
    first = np.concatenate(list(gdal.first(iter([exact]), factor)))
    return {"first": _compare(reduced, first), "mean": _compare(reduced[:len(mean), :mean.shape[1]], mean)}


def _decode(path: str, window: Optional[Window] = None, **options: Any) -> np.ndarray:
    with geotiff.raising(f"{os.path.basename(path)} cannot be decoded", CorruptError, logging.WARNING), \
            rasterio.open(path, **options) as dataset:
        pixels: np.ndarray = dataset.read(1, window=window)
    return pixels


def _compare(reduced: np.ndarray, exact: np.ndarray) -> Dict[str, float]:
    difference = (reduced.astype(np.int64) - exact)[(reduced != 0) | (exact != 0)]
    if not difference.size:
        return {"rmse": 0.0, "bias": 0.0, "largest": 0.0, "pixels": 0}
    return {"rmse": float(np.sqrt(np.mean(difference ** 2))), "bias": float(np.mean(difference)),
            "largest": float(np.abs(difference).max()), "pixels": difference.size}
