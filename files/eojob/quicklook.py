"""A small picture of a result, for a look at many of them."""

import warnings
from typing import List, Sequence

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from . import geotiff
from .errors import ProductError

LONGEST_SIDE = 1024  # pixels


def write(image: str, picture: str, bands: Sequence[str]) -> None:
    """Make the PNG `picture` of the GeoTIFF `image`: true colour where it can be, transparent where there is no data.

    Args:
        bands: what the planes hold, where the image does not say so itself.
    Raises:
        ProductError: the image cannot be read, so it is no result.
    """
    with geotiff.environment(), geotiff.raising("the result cannot be read", ProductError):
        with rasterio.open(image) as dataset:
            scale = max(1.0, max(dataset.height, dataset.width) / LONGEST_SIDE)
            shape = (int(dataset.height / scale), int(dataset.width / scale))
            names = dataset.descriptions if all(dataset.descriptions) else bands
            planes = [dataset.read(index, out_shape=shape) for index in channels(names, dataset.count)]
        valid = np.any(planes, axis=0)
        layers = [stretch(plane, valid) for plane in planes] + [np.where(valid, 255, 0).astype("uint8")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # a picture needs no place
            with rasterio.open(picture, "w", driver="PNG", height=shape[0], width=shape[1], count=len(layers),
                               dtype="uint8") as dataset:
                for index, layer in enumerate(layers, 1):
                    dataset.write(layer, index)


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
    scaled = (plane.astype("float32") - low) * (255 / max(high - low, 1))
    return np.where(valid, np.clip(scaled, 0, 255), 0).astype("uint8")
