"""One complete product: images, masks, metadata, quicklook and manifest."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from PIL import Image as PillowImage
from rasterio.enums import Resampling
from rasterio.windows import Window

from sample_archive.auxiliary import write_auxiliary
from sample_archive.bands import BANDS
from sample_archive.jp2 import LAYOUTS, Image, write_jp2
from sample_archive.manifest import write_manifest
from sample_archive.masks import write_masks
from sample_archive.metadata import footprint, write_metadata
from sample_archive.pixels import Scene
from sample_archive.spec import ProductSpec

_PREVIEW_RESOLUTION = 320
_QUICKLOOK_SIDE = 343


def write_product(spec: ProductSpec, size: int, source: Mapping[str, NDArray[np.uint16]], product: Path) -> None:
    """Write a product of `size` x `size` pixels at 10 m into the folder `product`, which must not exist.

    `source` is what `source.read_bands` returns. The same arguments give the same bytes.
    """
    scene = Scene(spec, size, source)
    granule = product / "GRANULE" / spec.granule_folder
    for folder in ("IMG_DATA", "QI_DATA", "AUX_DATA"):
        (granule / folder).mkdir(parents=True)
    _write_images(scene, granule)
    write_masks(scene, granule / "QI_DATA")
    _write_quicklook(granule / _preview_path(spec), product / f"{spec.name.removesuffix('.SAFE')}-ql.jpg")
    write_auxiliary(spec, footprint(spec, size)[0], granule / "AUX_DATA")
    write_metadata(spec, size, product)
    write_manifest(spec, size, product)


def _write_images(scene: Scene, granule: Path) -> None:
    spec = scene.spec
    for band in BANDS:
        image = Image(scene.side(band.resolution), 1, 15, band.resolution, spec.position)
        path = granule / "IMG_DATA" / f"{spec.image_prefix}_{band.name}.jp2"
        write_jp2(path, image, scene.band_strips(band.name, LAYOUTS[band.resolution].tile))
    true_colour = granule / "IMG_DATA" / f"{spec.image_prefix}_TCI.jp2"
    write_jp2(true_colour, Image(scene.size, 3, 8, 10, spec.position), scene.true_colour_strips(LAYOUTS[10].tile))

    side = scene.side(_PREVIEW_RESOLUTION)
    covered = side * _PREVIEW_RESOLUTION // 10
    with rasterio.open(true_colour) as dataset:
        preview = dataset.read(
            out_shape=(3, side, side), window=Window(0, 0, covered, covered), resampling=Resampling.average
        )
    image = Image(side, 3, 8, _PREVIEW_RESOLUTION, spec.position)
    write_jp2(granule / _preview_path(spec), image, [(0, preview)])


def _preview_path(spec: ProductSpec) -> Path:
    return Path("QI_DATA") / f"{spec.image_prefix}_PVI.jp2"


def _write_quicklook(preview: Path, path: Path) -> None:
    with rasterio.open(preview) as dataset:
        pixels = np.moveaxis(dataset.read(), 0, -1)
    side = (_QUICKLOOK_SIDE, _QUICKLOOK_SIDE)
    PillowImage.fromarray(pixels).resize(side, PillowImage.Resampling.BILINEAR).save(path, quality=75)
