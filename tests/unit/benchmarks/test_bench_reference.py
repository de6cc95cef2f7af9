"""The reference makes the right pictures, and the comparison and the decode limit look at all of them."""

import shutil

import numpy as np
import pytest
import rasterio
from eojob import engines, jobfile
from eojob_products import LocalProduct, pixels, product_name
from job import limit, reference, runs, store
from job.runs import BANDS

PREFIX = "Sentinel-2/MSI/L1C/2025/02/01/"


@pytest.fixture
def job(server, tmp_path):
    for name in ("out", "scratch"):
        (tmp_path / name).mkdir()
    return jobfile.parse({"endpoint_url": f"http://{server.host}:{server.port}", "bucket": store.BUCKET,
                          "prefix": PREFIX, "profile": store.PROFILE, "max_products": 2, "output_dir":
                          str(tmp_path / "out"), "scratch_dir": str(tmp_path / "scratch"), "compress": "none"})


@pytest.fixture
def s3cmd(server):
    address = f"{server.host}:{server.port}"
    return [runs.tool("s3cmd"), f"--config={server.s3cmd}", "--no-ssl", f"--host={address}",
            f"--host-bucket={address}", "--region=default"]


def test_the_reference_lists_fetches_all_and_makes_the_pixels_of_first(job, s3cmd, archive, tmp_path):
    prefixes = reference.listing(job)
    assert prefixes == [f"{PREFIX}{product_name(day)}.SAFE/" for day in (1, 2)]
    product = reference.one_product(job, s3cmd, prefixes[1], rank=0)
    source = archive / PREFIX / f"{product_name(2)}.SAFE"
    assert product["bytes"] == sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    assert set(product["seconds"]) == {"fetch", "wait", "decode", "write", "finish", "total"}
    assert not list((tmp_path / "scratch").iterdir()), "the SAFE is removed"
    with rasterio.open(tmp_path / "out" / f"{product_name(2)}.tif") as dataset:
        assert dataset.descriptions == BANDS and dataset.compression is None
        for index, band in enumerate(BANDS, 1):
            assert np.array_equal(dataset.read(index), pixels(band, seed=2)[::2, ::2])


def test_the_reference_says_what_s3cmd_says(job, s3cmd):
    with pytest.raises(RuntimeError, match="s3cmd ended with"):
        reference.fetch(job._replace(bucket="nowhere"), s3cmd, f"{PREFIX}{product_name(1)}.SAFE/")


def make(job, folder, source, downsampling="First"):
    """The result of eojob's engine in `folder`."""
    folder.mkdir()
    engine = engines.load(job)
    product = engine.create_product("Resample", {"targetResolution": 20, "downsampling": downsampling},
                                    engine.read_product(LocalProduct(source, BANDS)))
    engine.write_product(product, str(folder / f"{source.stem}.tif"), "GeoTIFF")


def test_pictures_are_compared_pixel_by_pixel(job, archive, tmp_path):
    name = product_name(1)
    source = archive / PREFIX / f"{name}.SAFE"
    reference.process(job, source)
    make(job._replace(compress="deflate"), tmp_path / "ours", source)
    assert runs.difference(tmp_path / "ours", tmp_path / "out", [name]) == 0
    with rasterio.open(tmp_path / "ours" / f"{name}.tif", "r+") as dataset:
        values = dataset.read()
        values[2, 191, 191] += 100
        dataset.write(values)
    expected = (100 ** 2 / (3 * 192 * 192)) ** 0.5
    assert runs.difference(tmp_path / "ours", tmp_path / "out", [name]) == pytest.approx(expected)


def test_a_missing_picture_is_no_equal_one(job, archive, tmp_path):
    name = product_name(1)
    make(job, tmp_path / "ours", archive / PREFIX / f"{name}.SAFE")
    with pytest.raises(RuntimeError, match="is missing"):
        runs.difference(tmp_path / "ours", tmp_path / "out", [name])


@pytest.mark.parametrize("method", limit.METHODS)
def test_the_limit_has_every_product(archive, method):
    products = sorted((archive / PREFIX).iterdir())
    seconds = limit.measure(limit.all_tasks(products, BANDS), 2, method)
    assert set(seconds) == {product.stem for product in products}
    assert all(each > 0 for each in seconds.values())


def test_the_limit_can_be_measured_in_parts(archive):
    products = sorted((archive / PREFIX).iterdir())
    tasks = limit.all_tasks(products, BANDS)
    halves = [limit.measure(half, 2, "wavelet") for half in (tasks[:1], tasks[1:], [])]
    assert set(halves[0]) == {tasks[0][0]}
    assert set(halves[0]) | set(halves[1]) == {product.stem for product in products}
    assert not halves[2]


def test_the_limit_says_that_a_band_cannot_be_decoded(archive, tmp_path):
    product = tmp_path / f"{product_name(1)}.SAFE"
    shutil.copytree(archive / PREFIX / product.name, product)
    band, = product.glob("GRANULE/*/IMG_DATA/*_B03.jp2")
    band.write_bytes(b"nothing of the kind" * 1000)
    with pytest.raises(RuntimeError, match="ended with"):
        limit.measure(limit.all_tasks([product], BANDS), 1, "exact")
