"""The main job: eight products, every pixel compared with its source; and the same job again."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest
import rasterio
from labkit import (
    ARCHIVE,
    JOBS,
    MASTER,
    PREFIX,
    PRODUCTS,
    band_file,
    job_states,
    latest_images,
    latest_job,
    latest_report,
    playbook,
    products,
    remote,
)

BANDS = ("B02", "B03", "B04")
each_product = pytest.mark.parametrize("index", range(PRODUCTS))


def source(product: str, step: int = 2) -> np.ndarray:
    """Every `step`-th pixel of the product's bands at full resolution (band, row, column)."""
    planes = []
    for band in BANDS:
        with rasterio.open(band_file(product, band)) as dataset:
            planes.append(dataset.read(1)[::step, ::step])
    return np.stack(planes)


@pytest.fixture(scope="module")
def results(cluster, tmp_path_factory) -> Path:
    """The folder of results that run_job and results.yml make."""
    playbook("run_job").ok()
    folder = tmp_path_factory.mktemp("results")
    playbook("results", job_results=folder).ok()
    return folder / "latest"


def test_eight_images_arrive(results):
    stems = products()[:PRODUCTS]
    assert sorted(path.name for path in results.iterdir()) == sorted(
        [f"{stem}.{kind}" for stem in stems for kind in ("png", "tif")] + ["report.json", "report.txt"])
    assert results.readlink() == Path(latest_job())


@each_product
def test_pixels_are_every_second_of_the_source(results, index):
    product = products()[index]
    with rasterio.open(results / f"{product}.tif") as image:
        pixels, names = image.read(), image.descriptions
    assert pixels.dtype == np.uint16
    assert names == ("B2", "B3", "B4")
    assert np.array_equal(pixels, source(product))


@each_product
def test_image_lies_where_the_granule_does(results, index):
    (metadata,) = (ARCHIVE / PREFIX / f"{products()[index]}.SAFE").glob("GRANULE/*/MTD_TL.xml")
    tile = ElementTree.parse(metadata)
    corner = tile.find(".//Geoposition[@resolution='10']")
    with rasterio.open(results / f"{products()[index]}.tif") as image:
        assert image.crs.to_string() == tile.findtext(".//HORIZONTAL_CS_CODE")
        assert image.transform[:6] == (20, 0, float(corner.findtext("ULX")), 0, -20, float(corner.findtext("ULY")))


@each_product
def test_image_is_not_the_wavelets_low_pass(results, index):
    """What GDAL gives for out_shape is a mean of neighbours, and must not be in the result."""
    product = products()[index]
    with rasterio.open(results / f"{product}.tif") as image, rasterio.open(band_file(product, "B02")) as band:
        assert not np.array_equal(image.read(1), band.read(1, out_shape=image.shape))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")  # a picture has no place
@each_product
def test_quicklook(results, index):
    product = products()[index]
    with rasterio.open(results / f"{product}.png") as picture:
        red, green, blue, alpha = picture.read()
    seen = source(product).any(axis=0)
    assert np.array_equal(alpha, np.where(seen, 255, 0))
    for plane in (red, green, blue):
        assert plane[seen].min() == 0
        assert plane[seen].max() == 255
        assert len(np.unique(plane[seen])) > 50


def test_listing_came_in_pages(results, store):
    """With three keys to a page, eight products cannot come from one."""
    first = store.page(3)
    assert first["IsTruncated"]
    assert len(first["CommonPrefixes"]) <= 3
    assert '"page_size": "3"' in remote(MASTER, f"cat {JOBS}/latest/job.json").ok().output


def test_report_and_books_agree(results):
    report = latest_report()
    assert (report["total"], report["done"], report["failed"], report["skipped"]) == (PRODUCTS, PRODUCTS, 0, 0)
    assert report["ranks"] == 4
    assert job_states()[latest_job()] == "COMPLETED"


def test_status_of_the_ended_job(results):
    assert f"{PRODUCTS} done, 0 failed" in playbook("job_status").ok().words()


def test_cancel_of_the_ended_job(results):
    ran = playbook("cancel_job").ok()
    assert f"Job {latest_job()} had ended already" in ran.words()
    assert ran.changed() == {MASTER: 0, "localhost": 0}


def test_results_again_change_nothing(results):
    playbook("results", job_results=results.parent).ok()  # job_status may have renewed the report
    assert playbook("results", job_results=results.parent).ok().changed() == {MASTER: 0, "localhost": 0}


def test_same_job_again_does_nothing(results):
    job, images = latest_job(), latest_images()
    ran = playbook("run_job").ok()
    assert latest_job() != job
    assert f"0 done, 0 failed, {PRODUCTS} done before" in ran.words()
    assert latest_report()["bytes_fetched"] == 0
    assert latest_images() == images
