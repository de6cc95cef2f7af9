"""The engine `gdal`: exact pixels, order, place; and no fault of a JP2 that passes as zeros."""

import logging
import os
import weakref
from pathlib import Path

import numpy as np
import pytest
import rasterio
from eojob import codestream, geotiff, jobfile, quicklook
from eojob.engines import gdal
from eojob.errors import CorruptError, EojobError, ProductError
from eojob_products import EPSG, ULX, ULY, LocalProduct, band_file, make_safe, pixels, product_name, write_jp2
from eojob_support import ROOT


def make(folder, output, bands, resolution=None, downsampling="First", compress="deflate"):
    """Resample and Subset as the seed's script does; the opened result."""
    job = jobfile.parse({"endpoint_url": "http://localhost", "bucket": "b", "prefix": "p", "output_dir": str(output),
                         "compress": compress})
    engine = gdal.GdalEngine(job)
    engine.check()
    product = engine.read_product(LocalProduct(folder, bands))
    if resolution:
        product = engine.create_product("Resample", {"targetResolution": resolution, "downsampling": downsampling},
                                        product)
    product = engine.create_product("Subset", {"sourceBands": ",".join(bands), "copyMetadata": "true"}, product)
    engine.write_product(product, str(output / "result.tif"), "GeoTiff")
    assert set(engine.seconds) == {"decode", "write"}
    return rasterio.open(output / "result.tif")


def floor_mean(values, k):
    """The floor of each cell's mean over the pixels with data, in Python's own whole numbers."""
    def cell(row, column):
        valid = [int(v) for v in values[row * k:(row + 1) * k, column * k:(column + 1) * k].flat if v]
        return sum(valid) // max(len(valid), 1)
    side = values.shape[0] // k
    return np.array([[cell(row, column) for column in range(side)] for row in range(side)], dtype="uint16")


@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_first_is_the_upper_left_pixel(all_bands, tmp_path, resolution):
    k = resolution // 10
    with make(all_bands, tmp_path, ["B2", "B3", "B4"], resolution) as result:
        for index, band in enumerate(("B2", "B3", "B4"), 1):
            assert np.array_equal(result.read(index), pixels(band, 1)[::k, ::k])


@pytest.mark.parametrize("resolution", [20, 60, 120])
def test_mean_is_the_floor_of_the_block_mean(all_bands, tmp_path, resolution):
    with make(all_bands, tmp_path, ["B4"], resolution, "Mean") as result:
        assert np.array_equal(result.read(1), floor_mean(pixels("B4", 1), resolution // 10))


@pytest.mark.parametrize("resolution", [20, 60])
def test_first_and_mean_from_one_decode(all_bands, tmp_path, monkeypatch, resolution):
    opened = []
    original = gdal._windows
    monkeypatch.setattr(gdal, "_windows", lambda path, *rest: opened.append(path) or original(path, *rest))
    bands, k = ["B2", "B4"], resolution // 10
    with make(all_bands, tmp_path, bands, resolution, "First,Mean") as result:
        assert result.descriptions == ("B2_First", "B4_First", "B2_Mean", "B4_Mean")
        assert result.tags()["DOWNSAMPLING"] == "First,Mean"
        for index, band in enumerate(bands, 1):
            assert np.array_equal(result.read(index), pixels(band, 1)[::k, ::k])
            assert np.array_equal(result.read(index + 2), floor_mean(pixels(band, 1), k))
    assert len(opened) == 2, "each band is decoded once"


def test_bands_of_all_native_sizes(all_bands, tmp_path):
    with make(all_bands, tmp_path, ["B1", "B8A", "B2"], 20, "Mean") as result:
        assert np.array_equal(result.read(1), pixels("B1", 1).repeat(3, 0).repeat(3, 1)), "nearest upsampling"
        assert np.array_equal(result.read(2), pixels("B8A", 1))
        assert np.array_equal(result.read(3), floor_mean(pixels("B2", 1), 2))


def test_upsampling_to_10_m(all_bands, tmp_path):
    with make(all_bands, tmp_path, ["B5", "B2"], 10) as result:
        assert np.array_equal(result.read(1), pixels("B5", 1).repeat(2, 0).repeat(2, 1))
        assert np.array_equal(result.read(2), pixels("B2", 1))


def test_strips_join_over_window_and_tile_borders(tmp_path, monkeypatch):
    """Windows of 128 rows: neither 6 nor 512 fits them, so cells and strips cross their borders."""
    monkeypatch.setattr(gdal, "_WINDOW_ROWS", 128)
    folder = make_safe(tmp_path, product_name(2), bands=("B2",), seed=2)
    for resolution, downsampling, expected in ((60, "First", pixels("B2", 2)[::6, ::6]),
                                               (60, "Mean", floor_mean(pixels("B2", 2), 6)),
                                               (10, "First", pixels("B2", 2))):
        with make(folder, tmp_path, ["B2"], resolution, downsampling) as result:
            assert np.array_equal(result.read(1), expected)


@pytest.mark.parametrize("heights", [[7], [3, 3, 1], [1] * 7, [5, 2], [2, 5]])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 9])
def test_regroup(heights, size):
    rows = np.arange(14).reshape(7, 2)
    tops = np.cumsum([0, *heights[:-1]])
    pairs = zip(tops, heights)
    blocks = list(gdal._regroup(iter([rows[t:t + h] for t, h in pairs]), size))
    assert np.array_equal(np.concatenate(blocks), rows)
    assert all(len(block) == size for block in blocks[:-1])


def test_mean_passes_over_no_data():
    block = np.array([[0, 0, 5, 0], [0, 0, 0, 8], [7, 8, 9, 9], [9, 9, 9, 10]], dtype="uint16")
    assert next(gdal.mean(iter([block]), 2)).tolist() == [[0, 6], [8, 9]]


def test_mean_of_large_cells_does_not_overflow():
    cell = np.full((300, 300), 65535, dtype="uint16")
    assert next(gdal.mean(iter([cell]), 300))[0, 0] == 65535


def test_order_place_and_tags(all_bands, tmp_path):
    with make(all_bands, tmp_path, ["B8A", "B4", "B2"], 20) as result:
        assert result.descriptions == ("B8A", "B4", "B2")
        assert np.array_equal(result.read(2), pixels("B4", 1)[::2, ::2])
        assert result.crs.to_epsg() == EPSG
        assert result.transform[:6] == (20, 0, ULX, 0, -20, ULY)
        assert (result.nodata, result.dtypes[0], result.profile["interleave"]) == (0, "uint16", "band")
        tags = result.tags()
    assert tags["PRODUCT"] == product_name(1)
    assert tags["PROCESSING_BASELINE"] == "05.11" and tags["RADIO_ADD_OFFSET"] == "-1000"
    assert tags["QUANTIFICATION_VALUE"] == "10000" and tags["SENSING_TIME"].startswith("2025-02-01T03:17:21")
    assert tags["TIFFTAG_COPYRIGHT"] == "Contains modified Copernicus Sentinel data 2025"


@pytest.mark.parametrize("compress", jobfile.COMPRESSION)
def test_compression(all_bands, tmp_path, compress):
    with make(all_bands, tmp_path, ["B2"], 20, compress=compress) as result:
        assert np.array_equal(result.read(1), pixels("B2", 1)[::2, ::2])
        assert (result.compression.name if result.compression else "none").lower() == compress
        assert result.block_shapes[0] == (192, 192)


def test_a_reduced_read_would_be_something_else(all_bands, tmp_path):
    """The trap: `out_shape` on a JP2 gives wavelet coefficients, whatever resampling is asked for."""
    with rasterio.open(band_file(all_bands, "B2")) as band:
        reduced = band.read(1, out_shape=(192, 192))
    first, mean = pixels("B2", 1)[::2, ::2], floor_mean(pixels("B2", 1), 2)
    assert not np.array_equal(reduced, first) and not np.array_equal(reduced, mean)
    with make(all_bands, tmp_path, ["B2"], 20) as result:
        assert np.array_equal(result.read(1), first)


def test_without_resample_bands_of_one_size_pass_and_others_do_not(all_bands, tmp_path):
    with make(all_bands, tmp_path, ["B2", "B8"]) as result:
        assert np.array_equal(result.read(2), pixels("B8", 1))
    with pytest.raises(EojobError, match="Resample first"):
        make(all_bands, tmp_path, ["B2", "B5"])


@pytest.mark.parametrize("operator, parameters, words", [
    ("Reproject", {}, "supports Resample, Subset"),
    ("Resample", {"targetResolution": 20, "colour": 1}, "supports targetResolution, downsampling, upsampling"),
    ("Resample", {}, "targetResolution is None"),
    ("Resample", {"targetResolution": 20, "downsampling": "Median"}, "supports First, Mean"),
    ("Resample", {"targetResolution": 20, "upsampling": "Cubic"}, "supports Nearest"),
    ("Subset", {"sourceBands": "B2,B8"}, "holds B2, B3"),
    ("Subset", {"region": "0,0,1,1"}, "supports sourceBands, copyMetadata"),
])
def test_what_is_not_supported_is_named(all_bands, operator, parameters, words):
    engine = gdal.GdalEngine(None)
    product = engine.read_product(LocalProduct(all_bands, ["B2", "B3"]))
    with pytest.raises(EojobError, match=words):
        engine.create_product(operator, parameters, product)


def test_tile_that_the_resolution_does_not_divide(all_bands, tmp_path):
    with pytest.raises(EojobError, match="384 x 384 pixels of 10 m do not make whole pixels of 50 m"):
        make(all_bands, tmp_path, ["B2"], 50)


def test_other_format_is_refused(all_bands, tmp_path):
    engine = gdal.GdalEngine(None)
    with pytest.raises(EojobError, match="writes GeoTIFF"):
        engine.write_product(engine.read_product(LocalProduct(all_bands, ["B2"])), str(tmp_path / "x"), "BEAM-DIMAP")


def truncated(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[:keep] if keep > 0 else data[:len(data) + keep])


@pytest.mark.parametrize("keep", [-1, -2, -3000, 20000, 100, 3, 0.5])
def test_codestream_check_finds_every_cut(tmp_path, keep):
    path = tmp_path / "b.jp2"
    write_jp2(path, pixels("B2"), 10)
    codestream.check(str(path))
    truncated(path, keep if keep != 0.5 else path.stat().st_size // 2)
    with pytest.raises(CorruptError, match="truncated/corrupt"):
        codestream.check(str(path))


def test_codestream_check_finds_a_zeroed_tail_and_other_files(tmp_path):
    path = tmp_path / "b.jp2"
    write_jp2(path, pixels("B2"), 10)
    data = path.read_bytes()
    path.write_bytes(data[:len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(CorruptError):
        codestream.check(str(path))
    path.write_bytes(b"<Error>no</Error>")
    with pytest.raises(CorruptError, match="no JP2 signature"):
        codestream.check(str(path))


def test_codestream_check_agrees_with_files_of_one_tile(tmp_path):
    path = tmp_path / "b.jp2"
    write_jp2(path, pixels("B2"), 10, tile=1024)
    codestream.check(str(path))


def test_truncated_band_is_an_error_of_the_engine_too(tmp_path):
    folder = make_safe(tmp_path, product_name(3), bands=("B2",), seed=3)
    truncated(band_file(folder, "B2"), -20000)
    with pytest.raises(CorruptError, match="B02.jp2 cannot be decoded"):
        make(folder, tmp_path, ["B2"], 20)


def test_decoder_warnings_are_errors():
    with pytest.raises(CorruptError, match="B02: Stream too short"), \
            geotiff.raising("B02", CorruptError, logging.WARNING):
        logging.getLogger("rasterio._err").warning("Stream too short")


def test_georeferencing_is_cross_checked(tmp_path):
    folder = make_safe(tmp_path, product_name(4), bands=("B2",), seed=4)
    tile, = (folder / "GRANULE").glob("*/MTD_TL.xml")
    good = tile.read_text()
    for old, new, words in (("32648", "32649", "says EPSG:32649"), (f"<ULX>{ULX}", f"<ULX>{ULX + 10}", "is placed at"),
                            ("<NROWS>384", "<NROWS>390", "MTD_TL.xml says 1 x uint16 of 384 x 390")):
        tile.write_text(good.replace(old, new))
        with pytest.raises(ProductError, match=words):
            make(folder, tmp_path, ["B2"], 10)


@pytest.mark.parametrize("text, words", [("<a>", "cannot be read"), ("<a/>", "has no")])
def test_broken_metadata(tmp_path, text, words):
    folder = make_safe(tmp_path, product_name(5), bands=("B2",))
    (folder / "MTD_MSIL1C.xml").write_text(text)
    with pytest.raises(ProductError, match=words):
        LocalProduct(folder, ["B2"]).metadata()


def test_gdal_is_bounded():
    with geotiff.environment():
        assert rasterio.env.get_gdal_config("GDAL_CACHEMAX") == 64 * 1024 * 1024
        assert str(rasterio.env.get_gdal_config("GDAL_NUM_THREADS")) == "1"


def test_quicklook(all_bands, tmp_path):
    make(all_bands, tmp_path, ["B2", "B3", "B4"], 20).close()
    quicklook.write(str(tmp_path / "result.tif"), str(tmp_path / "q.png"), [])
    with rasterio.open(tmp_path / "q.png") as picture:
        assert (picture.driver, picture.count, picture.shape) == ("PNG", 4, (192, 192))
        red, green, _, alpha = picture.read()
    empty = pixels("B4", 1)[::2, ::2] == 0
    assert np.array_equal(alpha == 0, empty), "no data is transparent"
    valid = ~empty
    assert 0.01 < (red[valid] == 0).mean() < 0.04 and 0.01 < (red[valid] == 255).mean() < 0.04
    assert np.corrcoef(red[valid], pixels("B4", 1)[::2, ::2][valid])[0, 1] > 0.98, "B4 is red"
    assert np.corrcoef(green[valid], pixels("B3", 1)[::2, ::2][valid])[0, 1] > 0.98
    assert not list(tmp_path.glob("*.aux.xml"))


def test_quicklook_of_one_band_is_grey_and_of_a_large_image_is_small(tmp_path):
    with rasterio.open(tmp_path / "r.tif", "w", driver="GTiff", height=1500, width=3000, count=1, dtype="uint16",
                       transform=rasterio.Affine(10, 0, 0, 0, -10, 0)) as image:
        image.write(np.arange(4_500_000, dtype="uint32").reshape(1, 1500, 3000).astype("uint16"))
    quicklook.write(str(tmp_path / "r.tif"), str(tmp_path / "q.png"), ["B8"])
    with rasterio.open(tmp_path / "q.png") as picture:
        assert (picture.count, picture.shape) == (2, (512, 1024))


def test_quicklook_of_no_image(tmp_path):
    (tmp_path / "r.tif").write_bytes(b"II*\0 no image")
    with pytest.raises(ProductError, match="the result cannot be read"):
        quicklook.write(str(tmp_path / "r.tif"), str(tmp_path / "q.png"), [])


GOLDEN = Path(os.environ.get("EOCLUSTER_GOLDEN", ROOT.parent / "shared" / "golden"))


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="what SNAP wrote is not on this machine; set EOCLUSTER_GOLDEN")
@pytest.mark.parametrize("name, resolution, downsampling", [
    ("snap_first", 20, "First"), ("snap_mean", 20, "Mean"), ("snap_60", 60, "First")])
def test_equal_to_snap(tmp_path, name, resolution, downsampling):
    folder, = GOLDEN.glob("*.SAFE")
    with make(folder, tmp_path, ["B2", "B3", "B4"], resolution, downsampling) as ours, \
            rasterio.open(GOLDEN / f"{name}.tif") as snap:
        assert np.array_equal(ours.read(), snap.read())
        assert (ours.transform, ours.crs, ours.dtypes) == (snap.transform, snap.crs, snap.dtypes)


@pytest.mark.parametrize("downsampling", [("First",), ("First", "Mean")])
def test_no_more_windows_are_held_than_are_in_use(tmp_path, monkeypatch, downsampling):
    folder = make_safe(tmp_path, product_name(1))
    alive, most = weakref.WeakSet(), []

    class Block(np.ndarray):
        __hash__ = object.__hash__

    def windows(*_):
        for _ in range(20):
            block = np.ones((1024, 64), dtype="uint16").view(Block)
            alive.add(block)
            yield block
            del block
            most.append(len(alive))
    monkeypatch.setattr(gdal, "_windows", windows)
    engine = gdal.GdalEngine(jobfile.parse({"endpoint_url": "http://localhost", "bucket": "b", "prefix": "p",
                                            "output_dir": str(tmp_path)}))
    product = LocalProduct(folder, ("B2",))
    rows = sum(len(strip[0]) for strip in engine._strips(product, product.metadata(), "B2", 20, downsampling, 0))
    assert rows == 20 * 512
    assert max(most) <= 2, most
