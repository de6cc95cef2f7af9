"""Images in the JPEG 2000 layout of ESA's Level-1C products."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin
from rasterio.windows import Window

from sample_archive.pixels import Strip
from sample_archive.tiles import TilePosition


class Layout(NamedTuple):
    """Sides in pixels of the JPEG 2000 tiles, code-blocks and precincts."""

    tile: int
    codeblock: int
    precinct: int


LAYOUTS = {10: Layout(1024, 64, 256), 20: Layout(640, 8, 128), 60: Layout(192, 4, 64), 320: Layout(1024, 64, 256)}
RESOLUTION_LEVELS = 5


class Image(NamedTuple):
    """Shape and place of a square image: `resolution` in m, `bits` per pixel (8 or 15)."""

    side: int
    channels: int
    bits: int
    resolution: int
    position: TilePosition


def write_jp2(path: Path, image: Image, strips: Iterable[Strip]) -> None:
    """Write a lossless JPEG 2000 file; rows that no strip brings are 0.

    The encoder copies from a finished dataset, so the strips go through a raw file beside `path`: that keeps the
    memory needed to a few JPEG 2000 tiles, whatever the image's size.
    """
    layout = LAYOUTS[image.resolution]
    with (
        tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tif") as raw,
        # Without PAM, GDAL writes no .aux.xml files into the product; one thread is enough as products are made in
        # parallel; the default block cache is a share of the host's memory (MB here), and each process has one.
        rasterio.Env(GDAL_PAM_ENABLED=False, GDAL_NUM_THREADS=1, GDAL_CACHEMAX=256),
    ):
        with rasterio.open(
            raw.name,
            "w",
            driver="GTiff",
            dtype=np.uint16 if image.bits > 8 else np.uint8,
            count=image.channels,
            width=image.side,
            height=image.side,
            crs=f"EPSG:{image.position.epsg}",
            transform=from_origin(image.position.ulx, image.position.uly, image.resolution, image.resolution),
            tiled=True,
            blockxsize=layout.tile,
            blockysize=layout.tile,
            interleave="band",
            sparse_ok=True,
        ) as dataset:
            for row, pixels in strips:
                dataset.write(pixels, window=Window(0, row, image.side, pixels.shape[1]))
        rasterio.shutil.copy(
            raw.name,
            path,
            driver="JP2OpenJPEG",
            BLOCKXSIZE=layout.tile,  # GDAL takes the image's size instead when that is smaller
            BLOCKYSIZE=layout.tile,
            CODEBLOCK_WIDTH=layout.codeblock,
            CODEBLOCK_HEIGHT=layout.codeblock,
            PRECINCTS=",".join([f"{{{layout.precinct},{layout.precinct}}}"] * RESOLUTION_LEVELS),
            RESOLUTIONS=RESOLUTION_LEVELS,
            QUALITY=100,
            REVERSIBLE="YES",
            YCBCR420="NO",
            PROGRESSION="LRCP",
            NBITS=image.bits,
            PLT="YES",
            PROFILE="UNRESTRICTED",
            JPX="NO",
            GMLJP2="YES",
            GeoJP2="NO",
        )
