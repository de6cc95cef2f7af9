"""A small picture of a result, for a look at many of them."""

import os
import sys
from typing import List, Sequence

import numpy as np
import rasterio

from . import atomic, geotiff, report
from .errors import ProductError

_LEVEL = 1  # of zlib; 6, as GDAL has it, takes twice the time for 5 % fewer bytes


def write(image: str, picture: str, bands: Sequence[str]) -> None:
    """Make the PNG `picture` of the GeoTIFF `image`: true colour where it can be, transparent where there is no data.

    Args:
        bands: what the planes hold, where the image does not say so itself.
    Raises:
        ProductError: the image cannot be read, so it is no result.
    """
    with geotiff.environment(), geotiff.raising("the result cannot be read", ProductError), \
            rasterio.open(image) as dataset:
        scale = max(1.0, max(dataset.height, dataset.width) / geotiff.PREVIEW)
        shape = (int(dataset.height / scale), int(dataset.width / scale))
        names = dataset.descriptions if all(dataset.descriptions) else bands
        planes = [dataset.read(index, out_shape=shape) for index in channels(names, dataset.count)]
    draw(planes, picture)


def draw(planes: Sequence[np.ndarray], picture: str) -> None:
    """Make the PNG `picture` of one plane, or of three: red, green and blue, each (rows, columns)."""
    valid = np.any(planes, axis=0) & np.all(np.isfinite(planes), axis=0)  # SNAP's no data may be NaN
    layers = [stretch(plane, valid) for plane in planes] + [np.where(valid, 255, 0).astype("uint8")]
    with geotiff.environment(), rasterio.open(
            picture, "w", driver="PNG", height=valid.shape[0], width=valid.shape[1], count=len(layers),
            dtype="uint8", zlevel=_LEVEL) as dataset:
        for index, layer in enumerate(layers, 1):
            dataset.write(layer, index)


def write_missing(folder: str) -> List[str]:
    """Make the pictures of all GeoTIFFs below `folder` that have none; the paths of those made.

    What cannot be read has no picture: it may be what a script that was ended has left.
    """
    made = []
    for image in report.geotiffs(folder):
        picture = os.path.splitext(image)[0] + ".png"
        if os.path.exists(picture):
            continue
        try:
            write(image, atomic.partial_path(picture), ())
            atomic.publish(atomic.partial_path(picture), picture)
            made.append(picture)
        except ProductError as error:
            print(f"{image}: {error}", file=sys.stderr)
        finally:
            atomic.remove_partial(picture)
    return made


def channels(bands: Sequence[str], count: int) -> List[int]:
    """The planes (from 1) to show: B4, B3, B2 when all are there, else the first three, else the first alone."""
    if len(bands) == count and {"B4", "B3", "B2"} <= set(bands):
        return [list(bands).index(band) + 1 for band in ("B4", "B3", "B2")]
    return [1, 2, 3] if count >= 3 else [1]


def stretch(plane: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """uint8 of a plane (rows, columns): its 2nd to 98th percentile over `valid` pixels become 0 to 255."""
    if not valid.any():
        return np.zeros(plane.shape, dtype="uint8")
    low, high = np.percentile(plane[valid], (2, 98))
    # A graph may give an index from -1 to 1; whole numbers are not stretched beyond one step.
    span = high - low if plane.dtype.kind == "f" and high > low else max(high - low, 1)
    scaled = (np.where(valid, plane, low).astype("float32") - low) * (255 / span)
    return np.where(valid, np.clip(scaled, 0, 255), 0).astype("uint8")
