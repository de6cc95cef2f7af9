"""Built products: pixels against the source, manifest against the files, metadata against each other."""

import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import rasterio
from archive_kit import Archive
from numpy.typing import NDArray
from sample_archive.bands import BANDS
from sample_archive.spec import ProductSpec


def product_of(archive: Archive, spec: ProductSpec) -> Path:
    return archive.root / spec.folder


def read(archive: Archive, spec: ProductSpec, folder: str, name: str) -> NDArray[np.generic]:
    with rasterio.open(product_of(archive, spec) / "GRANULE" / spec.granule_folder / folder / name) as dataset:
        pixels: NDArray[np.generic] = dataset.read()
    return pixels


def expected_pixels(spec: ProductSpec, band: NDArray[np.uint16], side: int, scale: int) -> NDArray[np.float64]:
    """Shift and mirror the source by other means than the program: np.pad's symmetric mode."""
    shifts = [
        int.from_bytes(spec.variation[index : index + 2], "big") % (2 * length // scale) * scale
        for index, length in zip((0, 2), band.shape, strict=True)
    ]
    padding = [(0, shift + side) for shift in shifts]
    mirrored = np.pad(band, padding, mode="symmetric")[shifts[0] : shifts[0] + side, shifts[1] : shifts[1] + side]
    dimmed: NDArray[np.float64] = np.floor(mirrored * (spec.brightness / 1000) + 0.5)
    return dimmed


@pytest.mark.parametrize("name", ["B01", "B04", "B8A", "B10"])
def test_digital_numbers_are_the_sources_plus_the_baselines_offset(
    archive: Archive, bands: Mapping[str, NDArray[np.uint16]], name: str
) -> None:
    resolution = {band.name: band.resolution for band in BANDS}[name]
    for spec in archive.specs:
        stored = read(archive, spec, "IMG_DATA", f"{spec.image_prefix}_{name}.jp2")[0]
        side = archive.size * 10 // resolution
        expected = expected_pixels(spec, bands[name], side, 60 // resolution) + (
            1000 if spec.datatake.baseline >= "0400" else 0
        )
        columns, rows = np.meshgrid((np.arange(side) + 0.5) / side, (np.arange(side) + 0.5) / side)
        across = columns + 0.22 * (rows - 0.5)
        valid = (across >= spec.swath[0]) & (across < spec.swath[1])
        assert np.array_equal(stored, np.where(valid, expected, 0))


def test_products_differ(archive: Archive) -> None:
    centres = {
        read(archive, spec, "IMG_DATA", f"{spec.image_prefix}_B04.jp2")[0, 400:500, :100].tobytes()
        for spec in archive.specs
    }
    assert len(centres) == len(archive.specs)


def test_true_colour_is_nodata_where_the_bands_are(archive: Archive) -> None:
    for spec in archive.specs:
        colours = read(archive, spec, "IMG_DATA", f"{spec.image_prefix}_TCI.jp2")
        red = read(archive, spec, "IMG_DATA", f"{spec.image_prefix}_B04.jp2")[0]
        assert np.array_equal(colours.all(axis=0), red > 0)
        brighter = red[red > 0] > np.median(red[red > 0])
        assert colours[0][red > 0][brighter].min() >= colours[0][red > 0][~brighter].max()


def test_raster_masks_show_nodata(archive: Archive) -> None:
    for spec in archive.specs:
        if spec.datatake.has_offset:
            nodata = read(archive, spec, "IMG_DATA", f"{spec.image_prefix}_B05.jp2")[0] == 0
            quality = read(archive, spec, "QI_DATA", "MSK_QUALIT_B05.jp2")
            assert quality.shape == (8, *nodata.shape)
            assert np.array_equal(quality[5], nodata)
            assert not np.delete(quality, 5, axis=0).any()
            assert np.array_equal(read(archive, spec, "QI_DATA", "MSK_DETFOO_B05.jp2")[0] == 0, nodata)


def test_mask_files_are_those_of_the_metadata(archive: Archive) -> None:
    for spec in archive.specs:
        product = product_of(archive, spec)
        granule = product / "GRANULE" / spec.granule_folder
        listed = {element.text for element in ET.parse(granule / "MTD_TL.xml").iter("MASK_FILENAME")}
        present = {path.relative_to(product).as_posix() for path in granule.glob("QI_DATA/MSK_*")}
        assert listed == present
        assert {path.suffix for path in granule.glob("QI_DATA/MSK_*")} == {
            ".jp2" if spec.datatake.baseline >= "0400" else ".gml"
        }


def test_offsets_are_declared_from_baseline_0400_on(archive: Archive) -> None:
    for spec in archive.specs:
        metadata = ET.parse(product_of(archive, spec) / "MTD_MSIL1C.xml")
        offsets = {element.get("band_id"): element.text for element in metadata.iter("RADIO_ADD_OFFSET")}
        assert offsets == ({str(number): "-1000" for number in range(13)} if spec.datatake.baseline >= "0400" else {})


def test_manifest_has_size_and_checksum_of_every_object(archive: Archive) -> None:
    for spec in archive.specs:
        product = product_of(archive, spec)
        listed = {}
        for element in ET.parse(product / "manifest.safe").iter("dataObject"):
            tags = ("byteStream", "fileLocation", "checksum")
            stream, location, checksum = (element.find(f".//{tag}") for tag in tags)
            assert stream is not None and location is not None and checksum is not None
            assert checksum.get("checksumName") == "SHA3-256"
            listed[location.attrib["href"].removeprefix("./")] = (int(stream.attrib["size"]), checksum.text)
        present = {
            path.relative_to(product).as_posix(): (
                path.stat().st_size,
                hashlib.sha3_256(path.read_bytes()).hexdigest().upper(),
            )
            for path in product.rglob("*")
            if path.is_file() and path.name != "manifest.safe" and not path.name.endswith("-ql.jpg")
        }
        assert listed == present


def test_manifest_identifiers_are_unique_and_resolve(archive: Archive) -> None:
    for spec in archive.specs:
        manifest = ET.parse(product_of(archive, spec) / "manifest.safe")
        identifiers = [element.attrib["ID"] for element in manifest.iter("dataObject")]
        assert len(set(identifiers)) == len(identifiers)
        pointers = {element.attrib["dataObjectID"] for element in manifest.iter("dataObjectPointer")}
        assert pointers == set(identifiers)


def test_no_leftovers_in_the_products(archive: Archive) -> None:
    suffixes = {path.suffix for path in archive.root.rglob("*.SAFE/**/*") if path.is_file()}
    assert suffixes == {".xml", ".jp2", ".gml", ".html", ".xsl", ".xsd", ".safe", ".jpg", ""}


def test_auxiliary_files_are_readable_weather_data(archive: Archive) -> None:
    for spec in archive.specs:
        folder = product_of(archive, spec) / "GRANULE" / spec.granule_folder / "AUX_DATA"
        for path in folder.iterdir():
            with rasterio.open(path) as dataset:
                assert dataset.driver == "GRIB"


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_quicklook_is_a_small_picture(archive: Archive) -> None:
    for spec in archive.specs:
        with rasterio.open(product_of(archive, spec) / f"{spec.name.removesuffix('.SAFE')}-ql.jpg") as dataset:
            assert (dataset.driver, dataset.count, dataset.width, dataset.height) == ("JPEG", 3, 343, 343)
            assert dataset.read().std() > 1
