"""Fixtures of the sample archive's tests: the real pixels, and an archive of three small products."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from archive_kit import REPOSITORY, Archive
from numpy.typing import NDArray
from sample_archive import source
from sample_archive.build import build
from sample_archive.catalogue import PRODUCTS

SIZE = 960
TILES = ("34UDB", "33KXP", "32TPT")  # whole and N0400; southern, partial and N0400; partial and N0300


@pytest.fixture(scope="session")
def sdist() -> Path:
    """Return the sdist with the real pixels, obtained as the program does."""
    return source.obtain(REPOSITORY / ".cache" / "sample_archive")


@pytest.fixture(scope="session")
def bands(sdist: Path) -> Mapping[str, NDArray[np.uint16]]:
    """Return the real pixels by band name."""
    return source.read_bands(sdist)


@pytest.fixture(scope="session")
def archive(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """Build three products that differ in hemisphere, coverage and baseline."""
    specs = [spec for spec in PRODUCTS if spec.tile in TILES]
    root = tmp_path_factory.mktemp("archive")
    build(specs, root, SIZE, sdist, jobs=2, report=lambda made: None)
    return Archive(root, specs, SIZE)
