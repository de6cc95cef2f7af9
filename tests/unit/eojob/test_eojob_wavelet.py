"""Whole jobs of the method "wavelet": fewer bytes, GDAL's overview, and never without its error."""

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from eojob import ledger, reduced, report
from eojob_products import band_file, product_name

NAME = product_name(26)


def record_of(settings):
    out = settings["output_dir"]
    return list(ledger.records(out, ledger.runs(out)[-1]))[-1]


def overview(safe, band, levels):
    with rasterio.open(band_file(safe, band), overview_level=levels - 1) as dataset:
        return dataset.read(1)


@pytest.fixture
def whole_only(monkeypatch):
    """As if no band's layout told where its resolutions end."""
    def refuse(*_):
        raise reduced.NotReducibleError("no PLT")
    monkeypatch.setattr(reduced, "fetch", refuse)


def assert_approximate(settings, safe, levels):
    with rasterio.open(Path(settings["output_dir"]) / f"{NAME}.tif") as result:
        for index, band in enumerate(settings["bands"], 1):
            assert np.array_equal(result.read(index), overview(safe, band, levels))
        assert result.tags()["DOWNSAMPLING"] == "wavelet (approximate)"
        assert result.transform.a == settings["resolution"]
    record = record_of(settings)
    assert record["method"] == "wavelet"
    for band in settings["bands"]:
        said = record["approximation"]["bands"][band]
        assert said["first"]["rmse"] > 100 < said["mean"]["rmse"] and said["first"]["pixels"] > 1000, "noise is hard"


@pytest.mark.parametrize("resolution, levels", [(20, 1), (40, 2)])
def test_from_a_part_of_the_bytes(archive, plt_product, prefix, settings, run_script, resolution, levels):
    archive.upload(plt_product, prefix)
    settings.update(method="wavelet", resolution=resolution)
    ended = run_script(settings)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "method wavelet: pixels are approximate" in ended.stdout
    assert_approximate(settings, plt_product, levels)
    assert record_of(settings)["verified"] == "size, sha3_256, bands by structure"


def test_a_layout_that_does_not_tell_is_fetched_whole(archive, plt_product, prefix, settings, run_script, whole_only):
    archive.upload(plt_product, prefix)
    settings.update(method="wavelet")
    assert run_script(settings).returncode == 0
    assert_approximate(settings, plt_product, 1)
    assert record_of(settings)["verified"] == "size, sha3_256"


def test_the_report_says_it(archive, plt_product, prefix, settings, run_script):
    archive.upload(plt_product, prefix)
    assert run_script(dict(settings, method="wavelet")).returncode == 0
    content = report.report(settings["output_dir"])
    worst = max(band["first"]["rmse"] for band in record_of(settings)["approximation"]["bands"].values())
    text = report.text(content)
    assert "APPROXIMATE" in text and f"First by {worst:.1f}" in text
    json.dumps(content)


def test_other_bands_stay_exact(archive, plt_product, prefix, settings, run_script):
    """At 20 m, B5 is as it is; B2 is halved."""
    archive.upload(plt_product, prefix)
    settings.update(method="wavelet", bands=["B2", "B5"])
    assert run_script(settings).returncode == 0
    with rasterio.open(Path(settings["output_dir"]) / f"{NAME}.tif") as result, \
            rasterio.open(band_file(plt_product, "B5")) as native:
        assert np.array_equal(result.read(1), overview(plt_product, "B2", 1))
        assert np.array_equal(result.read(2), native.read(1))
    assert set(record_of(settings)["approximation"]["bands"]) == {"B2"}


def test_exact_and_approximate_results_are_not_taken_for_each_other(archive, plt_product, prefix, settings, run_script):
    archive.upload(plt_product, prefix)
    assert run_script(settings).returncode == 0
    assert "0 done before, 1 to do" in run_script(dict(settings, method="wavelet")).stdout
