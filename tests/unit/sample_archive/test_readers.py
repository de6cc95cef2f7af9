"""Programs that know Sentinel-2 products open ours: GDAL's SENTINEL2 driver and stactools."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from archive_kit import Archive
from rasterio.warp import transform
from sample_archive.spec import ProductSpec
from stactools.sentinel2.stac import create_item

BAND_ORDER = {
    10: ["B04", "B03", "B02", "B08"],
    20: ["B05", "B06", "B07", "B8A", "B11", "B12"],
    60: ["B01", "B09", "B10"],
}


def image(product: Path, spec: ProductSpec, name: str) -> Path:
    return product / "GRANULE" / spec.granule_folder / "IMG_DATA" / f"{spec.image_prefix}_{name}.jp2"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("resolution", BAND_ORDER)
def test_gdal_reads_every_band(archive: Archive, resolution: int) -> None:
    for spec in archive.specs:
        product = archive.root / spec.folder
        with rasterio.open(product / "MTD_MSIL1C.xml") as dataset:
            assert dataset.driver == "SENTINEL2"
            [name] = [name for name in dataset.subdatasets if f":{resolution}m:" in name]
            assert dataset.tags()["PROCESSING_BASELINE"] == spec.datatake.dotted_baseline
            assert dataset.tags()["PRODUCT_URI"] == spec.name
        with rasterio.open(name) as dataset:
            assert dataset.crs.to_epsg() == spec.position.epsg
            assert dataset.transform[:6] == (resolution, 0, spec.position.ulx, 0, -resolution, spec.position.uly)
            assert dataset.shape == (archive.size * 10 // resolution,) * 2
            names = [description.split(",")[0] for description in dataset.descriptions]
            assert names == [band.replace("B0", "B") for band in BAND_ORDER[resolution]]
            pixels = dataset.read()
        for found, band in zip(pixels, BAND_ORDER[resolution], strict=True):
            with rasterio.open(image(product, spec, band)) as dataset:
                assert np.array_equal(found, dataset.read(1))
                # The file on its own is placed like the product.
                assert dataset.crs.to_epsg() == spec.position.epsg
                assert dataset.transform[:6] == (resolution, 0, spec.position.ulx, 0, -resolution, spec.position.uly)


@pytest.mark.filterwarnings("ignore")  # stactools' own: deprecations, and ESA's clockwise footprints
def test_stactools_makes_an_item(archive: Archive) -> None:
    for spec in archive.specs:
        product = archive.root / spec.folder
        item = create_item(str(product))
        assert item.properties["s2:product_uri"] == spec.name
        assert item.properties["s2:processing_baseline"] == spec.datatake.dotted_baseline
        assert item.properties["grid:code"] == f"MGRS-{spec.tile}"
        assert item.properties["sat:relative_orbit"] == spec.datatake.relative_orbit
        assert item.properties["proj:code"] == f"EPSG:{spec.position.epsg}"
        assert 20 < item.properties["view:sun_elevation"] < 90
        bands = {Path(asset.href).stem[-3:] for asset in item.assets.values() if asset.href.endswith(".jp2")}
        assert bands >= {band for bands in BAND_ORDER.values() for band in bands} | {"TCI"}
        assert all(Path(asset.href).exists() for asset in item.assets.values())
        # The footprint is around the covered part of the tile.
        assert item.bbox is not None
        with rasterio.open(image(product, spec, "B01")) as dataset:
            rows, columns = np.nonzero(dataset.read(1))
            eastings, northings = dataset.xy(rows, columns)
            longitudes, latitudes = transform(dataset.crs, "EPSG:4326", eastings, northings)
        # The outermost centres of pixels are up to one pixel (60 m) within the outline, where it is slanted.
        expected = [min(longitudes), min(latitudes), max(longitudes), max(latitudes)]
        assert item.bbox == pytest.approx(expected, abs=0.0013)
