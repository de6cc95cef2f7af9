"""The granule's auxiliary weather data: small valid GRIB files, with a flat field instead of a forecast."""

import tempfile
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.transform import from_origin

from sample_archive.spec import ProductSpec

_NODES = 9  # the genuine files hold 9 x 9 values around the tile
_STEP = 0.125
_TEMPERATURE = 288.15


def auxiliary_files(spec: ProductSpec) -> list[str]:
    """Return the names of the files in AUX_DATA; the aerosol forecast (CAMS) came with baseline 04.00."""
    return ["AUX_CAMSFO", "AUX_ECMWFT"] if spec.datatake.has_offset else ["AUX_ECMWFT"]


def write_auxiliary(spec: ProductSpec, corner: tuple[float, float], folder: Path) -> None:
    """Write the auxiliary files around a corner of the tile, given as (latitude, longitude) in degrees."""
    latitude, longitude = corner
    # The time of reference has to be given: GDAL would take the time of writing.
    identification = f"CENTER=98(ECMWF) REF_TIME={spec.datatake.sensing_start:%Y-%m-%d}T00:00:00Z"
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".tif") as raw, rasterio.Env(GDAL_PAM_ENABLED=False):
        with rasterio.open(
            raw.name,
            "w",
            driver="GTiff",
            dtype=np.float32,
            count=1,
            width=_NODES,
            height=_NODES,
            crs="EPSG:4326",
            transform=from_origin(round(longitude, 3), round(latitude, 3), _STEP, _STEP),
        ) as dataset:
            dataset.write(np.full((1, _NODES, _NODES), _TEMPERATURE, np.float32))
        for name in auxiliary_files(spec):
            rasterio.shutil.copy(raw.name, folder / name, driver="GRIB", IDS=identification)
