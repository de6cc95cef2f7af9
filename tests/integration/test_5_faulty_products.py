"""Products that are damaged in the store: they fail alone, with their reason, and are made up for when mended."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
from labkit import (
    PRODUCTS,
    ObjectStore,
    band_file,
    job_states,
    latest_images,
    latest_job,
    latest_report,
    playbook,
    products,
)

pytestmark = pytest.mark.usefixtures("cluster")


@contextmanager
def damaged(store: ObjectStore, path: Path, size: int | None) -> Iterator[None]:
    """The object of a local file cut to `size` bytes, or removed for None; as it was afterwards."""
    if size is None:
        store.delete(path)
    else:
        store.put(path, size)
    try:
        yield
    finally:
        store.put(path)


def test_truncated_band_fails_alone_and_is_made_up_for(store, tmp_path):
    names = products()[:PRODUCTS]
    victim, others = names[3], names[:3] + names[4:]
    band = band_file(victim, "B03")

    with damaged(store, band, band.stat().st_size // 2):
        ran = playbook("run_job", job_resolution=60)
    first = latest_job()
    assert ran.code != 0
    assert f"Job {first} ended as FAILED" in ran.words()
    assert "7 done, 1 failed, 0 done before, 0 to do, of 8" in ran.words()
    assert job_states()[first] == "FAILED"
    (failure,) = latest_report()["failures"]
    assert failure["product"] == victim
    assert band.name in failure["reason"]
    assert failure["reason"] in ran.words()
    early = latest_images()
    assert sorted(early) == others

    arrived = playbook("results", job_results=tmp_path).ok()
    assert "7 images" in arrived.words()
    assert sorted(path.stem for path in (tmp_path / first).glob("*.tif")) == others

    again = playbook("run_job", job_resolution=60).ok()
    assert "1 done, 0 failed, 7 done before, 0 to do, of 8" in again.words()
    late = latest_images()
    assert late.keys() - early.keys() == {victim}
    assert {name: late[name] for name in early} == early

    playbook("results", job_results=tmp_path).ok()
    with rasterio.open(tmp_path / "latest" / f"{victim}.tif") as image:
        for plane, name in enumerate(("B02", "B03", "B04"), 1):
            with rasterio.open(band_file(victim, name)) as source:
                assert np.array_equal(image.read(plane), source.read(1)[::6, ::6])


def test_missing_band_is_a_failure_and_never_zeros(store):
    """GDAL's SENTINEL2 driver reads a band without a file as zeros."""
    victim = products()[0]
    asked = {"job_bands": "B4,B8A", "job_max_products": 2}
    with damaged(store, band_file(victim, "B8A"), None):
        ran = playbook("run_job", **asked)
    assert ran.code != 0
    (failure,) = latest_report()["failures"]
    assert failure["product"] == victim
    assert "B8A" in failure["reason"]
    assert failure["reason"] in ran.words()
    assert list(latest_images()) == [products()[1]]

    playbook("run_job", **asked).ok()
    assert sorted(latest_images()) == products()[:2]
