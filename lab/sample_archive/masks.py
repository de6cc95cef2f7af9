"""The quality masks of a granule: JPEG 2000 rasters from baseline 04.00 on, GML polygons before."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sample_archive import swath
from sample_archive.bands import BANDS, RESOLUTIONS
from sample_archive.jp2 import LAYOUTS, Image, write_jp2
from sample_archive.pixels import Scene, Strip, strip_rows
from sample_archive.spec import ProductSpec
from sample_archive.templating import render

_QUALITY_CHANNELS = 8
_QUALITY_NODATA = 5  # the sixth channel of MSK_QUALIT
_CLASSES = 3  # opaque cloud, cirrus, snow: all 0, as the source scene has none


class Mask(NamedTuple):
    """One mask file; `band_id` is None for the mask of the whole granule, `file` its name in QI_DATA."""

    type: str
    band_id: int | None
    file: str


def list_masks(spec: ProductSpec) -> list[Mask]:
    """Return the mask files of a product in the order of the metadata."""
    rasters = spec.datatake.has_offset
    types = ["DETFOO", "QUALIT"] if rasters else ["DETFOO", "NODATA", "DEFECT", "SATURA", "TECQUA"]
    general = "CLASSI" if rasters else "CLOUDS"
    suffix = "jp2" if rasters else "gml"
    per_band = [
        Mask(f"MSK_{kind}", band.band_id, f"MSK_{kind}_{band.name}.{suffix}") for band in BANDS for kind in types
    ]
    return [*per_band, Mask(f"MSK_{general}", None, f"MSK_{general}_B00.{suffix}")]


def write_masks(scene: Scene, folder: Path) -> None:
    """Write all masks of a product into its granule's QI_DATA folder."""
    if scene.spec.datatake.has_offset:
        _write_rasters(scene, folder)
    else:
        _write_polygons(scene, folder)


def _write_rasters(scene: Scene, folder: Path) -> None:
    position = scene.spec.position
    for resolution in RESOLUTIONS:
        side = scene.side(resolution)
        names = [band.name for band in BANDS if band.resolution == resolution]
        # Bands of one resolution see the same swath here, so their masks are copies of the first one's.
        detectors = folder / f"MSK_DETFOO_{names[0]}.jp2"
        write_jp2(detectors, Image(side, 1, 8, resolution, position), _detector_strips(scene, resolution))
        quality = folder / f"MSK_QUALIT_{names[0]}.jp2"
        image = Image(side, _QUALITY_CHANNELS, 8, resolution, position)
        write_jp2(quality, image, _quality_strips(scene, resolution))
        for name in names[1:]:
            shutil.copyfile(detectors, folder / f"MSK_DETFOO_{name}.jp2")
            shutil.copyfile(quality, folder / f"MSK_QUALIT_{name}.jp2")
    write_jp2(folder / "MSK_CLASSI_B00.jp2", Image(scene.side(60), _CLASSES, 8, 60, position), [])


def _detector_strips(scene: Scene, resolution: int) -> Iterator[Strip]:
    for rows in strip_rows(scene.side(resolution), LAYOUTS[resolution].tile):
        numbers = swath.detector(swath.cross_track(rows, scene.side(resolution)))
        yield int(rows[0]), np.where(scene.valid(rows, resolution), numbers, 0).astype(np.uint8)[np.newaxis]


def _quality_strips(scene: Scene, resolution: int) -> Iterator[Strip]:
    for rows in strip_rows(scene.side(resolution), LAYOUTS[resolution].tile):
        nodata = ~scene.valid(rows, resolution)
        if nodata.any():
            channels = np.zeros((_QUALITY_CHANNELS, *nodata.shape), np.uint8)
            channels[_QUALITY_NODATA] = nodata
            yield int(rows[0]), channels


def _write_polygons(scene: Scene, folder: Path) -> None:
    spec = scene.spec
    extent = scene.size * 10
    features = []
    for number in swath.DETECTORS:
        edges = swath.detector_edges(number, spec.swath)
        ring = swath.polygon(edges) if edges else []
        if ring:
            corners = [(spec.position.ulx + x * extent, spec.position.uly - y * extent) for x, y in ring]
            features.append({"detector": number, "ring": " ".join(f"{x:.0f} {y:.0f}" for x, y in corners)})
    for mask in list_masks(spec):
        text = render(
            "mask.gml.j2",
            mask=mask,
            epsg=spec.position.epsg,
            features=features if mask.type == "MSK_DETFOO" else [],
        )
        (folder / mask.file).write_text(text, encoding="utf-8")
