"""gpt and the Python packages compute what SNAP computes: First, Mean and Nearest, exactly, in SNAP's file."""

import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from eojob_products import EPSG, ULX, ULY, pixels

GRAPH = """<graph id="Graph"><version>1.0</version>
<node id="Read"><operator>Read</operator><sources/><parameters><file>${source}</file></parameters></node>
<node id="Resample"><operator>Resample</operator><sources><sourceProduct refid="Read"/></sources>
 <parameters><targetResolution>$resolution</targetResolution><downsampling>${downsampling}</downsampling></parameters>
</node>
<node id="Subset"><operator>Subset</operator><sources><sourceProduct refid="Resample"/></sources>
 <parameters><sourceBands>$bands</sourceBands><copyMetadata>true</copyMetadata></parameters></node>
<node id="Write"><operator>Write</operator><sources><sourceProduct refid="Subset"/></sources>
 <parameters><file>$target</file><formatName>GeoTIFF</formatName></parameters></node>
</graph>
"""
SCRIPT = """
import sys
import snappy
from snappy import GPF, HashMap, ProductIO
product = ProductIO.readProduct(sys.argv[1])
parameters = HashMap()
parameters.put('targetResolution', 20)
resampled = GPF.createProduct('Resample', parameters, product)
parameters = HashMap()
parameters.put('sourceBands', 'B2,B3,B4')
parameters.put('copyMetadata', 'true')
ProductIO.writeProduct(GPF.createProduct('Subset', parameters, resampled), sys.argv[2], 'GeoTiff')
"""
NATIVE = {"B1": 60, "B2": 10, "B3": 10, "B4": 10, "B5": 20}


def plain(values, native, resolution, downsampling):
    """What SNAP computes, cell by cell."""
    if resolution <= native:
        factor = native // resolution
        return values.repeat(factor, axis=0).repeat(factor, axis=1)
    k = resolution // native
    if downsampling == "First":
        return values[::k, ::k]
    cells = values.reshape(values.shape[0] // k, k, values.shape[1] // k, k).swapaxes(1, 2).reshape(
        values.shape[0] // k, values.shape[1] // k, k * k).astype(float)
    cells[cells == 0] = np.nan
    empty = np.isnan(cells).all(axis=2)
    cells[empty] = 0
    return np.floor(np.nanmean(cells, axis=2)).astype("uint16")


def gpt(standin, major, graph, *arguments, **environment):
    home = standin.installed(major)
    return standin.run(home / "bin" / "gpt", f"-Dsnap.userdir={standin.folder / 'userdir'}", graph, *arguments,
                       **environment)


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "graph.xml"
    path.write_text(GRAPH)
    return path


@pytest.mark.parametrize("downsampling", ["First", "Mean"])
@pytest.mark.parametrize("resolution", [10, 20, 60])
def test_a_graph_gives_snaps_pixels(standin, safe, graph, tmp_path, resolution, downsampling):
    target = tmp_path / "result.tif"
    done = gpt(standin, 13, graph, f"-Psource={safe}", f"-Ptarget={target}", f"-Presolution={resolution}",
               f"-Pdownsampling={downsampling}", "-Pbands=B5,B3,B2,B1", "-q", "2", "-c", "512M", "-e", "-x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("90% done.")
    with rasterio.open(target) as dataset:
        for index, band in enumerate(("B1", "B2", "B3", "B5"), 1):  # the product's order, not the graph's
            expected = plain(pixels(band, 1), NATIVE[band], resolution, downsampling)
            assert np.array_equal(dataset.read(index), expected), band
        assert dataset.crs.to_epsg() == EPSG
        assert dataset.transform[:6] == (resolution, 0, ULX, 0, -resolution, ULY)


def test_the_file_is_laid_out_as_snaps(standin, safe, graph, tmp_path):
    target = tmp_path / "result"
    done = gpt(standin, 9, graph, f"-Psource={safe / 'MTD_MSIL1C.xml'}", f"-Ptarget={target}", "-Presolution=20",
               "-Pdownsampling=First", "-Pbands=B2,B3,B4")
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "result.tif") as dataset:
        assert dataset.profile["interleave"] == "band" and not dataset.profile["tiled"]
        assert dataset.compression is None and dataset.block_shapes == [(192, 192)] * 3
    body = (tmp_path / "result.tif").read_bytes()
    assert body[:2] == b"MM"
    start = body.index(b"<?xml")
    header = ElementTree.fromstring(body[start:body.index(b"\0", start)].decode("iso-8859-1"))
    assert header.tag == "Dimap_Document" and [name.text for name in header.iter("BAND_NAME")] == ["B2", "B3", "B4"]
    assert header.findtext(".//PRODUCT_URI") == safe.name
    entries = int.from_bytes(body[8:10], "big")
    assert 65000 in [int.from_bytes(body[10 + 12 * i:12 + 12 * i], "big") for i in range(entries)]


def test_the_tutorials_script_writes_beside_the_product(standin, safe, tmp_path):
    (tmp_path / safe.name).symlink_to(safe)
    done = standin.python(standin.configured(9, "0.9.0"), SCRIPT, f"{safe.name}/", f"{safe.name}/", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / f"{safe.name}.tif") as dataset:
        assert np.array_equal(dataset.read(1), pixels("B2", 1)[::2, ::2])
    assert "no image files found for band B8A" in done.stderr


@pytest.mark.parametrize("name, resolution, downsampling", [
    ("snap_first.tif", 20, "First"), ("snap_mean.tif", 20, "Mean"), ("snap_60.tif", 60, "First")])
def test_it_equals_what_snaps_own_engine_wrote(standin, golden, graph, tmp_path, name, resolution, downsampling):
    folder, product = golden
    done = gpt(standin, 11, graph, f"-Psource={product}", f"-Ptarget={tmp_path / name}",
               f"-Presolution={resolution}", f"-Pdownsampling={downsampling}", "-Pbands=B2,B3,B4")
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / name) as ours, rasterio.open(folder / name) as snaps:
        assert np.array_equal(ours.read(), snaps.read())
        assert (ours.transform, ours.crs) == (snaps.transform, snaps.crs)


def test_gpt_without_a_graph(standin, safe, tmp_path):
    done = gpt(standin, 13, "Subset", f"-Ssource={safe}", "-PsourceBands=B4", "-t", tmp_path / "one.tif")
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "one.tif") as dataset:
        assert np.array_equal(dataset.read(1), pixels("B4", 1))
    done = gpt(standin, 13, "Resample", safe, "-PtargetResolution=60", "-f", "GeoTIFF", "-t", tmp_path / "all")
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "all.tif") as dataset:
        assert dataset.count == 5


@pytest.mark.parametrize("arguments, message", [
    ((), "${source}"), (("-Psource=/nonexistent",), "Error: [NodeId: Read] File not found: /nonexistent"),
    (("-Psource=SAFE", "-Pdownsampling=Mean", "-Presolution=7"), "Error: [NodeId: Resample]"),
    (("-Psource=SAFE", "-Pdownsampling=Mean", "-Presolution=20", "-Pbands=B99"),
     "Error: [NodeId: Subset] Source product does not contain a raster named 'B99'."),
    (("-y",), "Error: Unknown option '-y'"), (("-c",), "Error: Missing argument for option '-c'"),
    (("-Pname",), "Error: Missing '=' in '-Pname'"), (("-J-Xmx3X",), "Invalid maximum heap size: -Xmx3X")])
def test_faults_of_gpt(standin, safe, graph, arguments, message):
    words = [word.replace("SAFE", str(safe)) for word in arguments]
    done = gpt(standin, 13, graph, *words)
    assert done.returncode == 1 and message in done.stderr


def test_a_graph_that_is_none(standin, safe, tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_text("<graph><node>")
    assert "Error reading graph" in gpt(standin, 13, bad).stderr
    bad.write_text(GRAPH.replace("<operator>Resample<", "<operator>Resampel<"))
    done = gpt(standin, 13, bad, f"-Psource={safe}")
    assert done.returncode == 1 and "Error: [NodeId: Resample] Unknown operator name 'Resampel'." in done.stderr
    done = gpt(standin, 13, tmp_path / "missing.xml")
    assert done.returncode == 1 and "missing.xml" in done.stderr


@pytest.mark.parametrize("major, behaviour, answers", [
    (9, "ok", ("sys.component.S2TBX$Boolean=false",)), (13, "ok", ("sys.component.S3TBX$Boolean=false",)),
    (13, "partial", ())])
def test_without_the_reader_no_product_is_read(standin, safe, graph, tmp_path, major, behaviour, answers):
    home = standin.installed(major, behaviour, answers)
    done = standin.run(home / "bin" / "gpt", graph, f"-Psource={safe}", f"-Ptarget={tmp_path / 'x.tif'}",
                       f"-Dsnap.userdir={tmp_path}")
    assert done.returncode == 1
    assert f"Error: [NodeId: Read] No product reader found for file '{safe}'." in done.stderr
    if behaviour == "ok" and major == 13:
        code = "import sys; from esa_snappy import ProductIO; print(ProductIO.readProduct(sys.argv[1]))"
        assert standin.python(standin.configured(13, answers=answers), code, safe).stdout == "None\n"


def test_the_strict_reader_of_9_wants_sentinel_2a_or_b_and_a_datastrip(standin, safe, graph, tmp_path):
    home = tmp_path / "snap"
    assert standin.run("sh", standin.build(9, strict_reader=True), "-q", "-dir", home).returncode == 0

    def attempt(product):
        return standin.run(home / "bin" / "gpt", "Subset", f"-Ssource={product}", "-PsourceBands=B4", "-t",
                           tmp_path / "b4.tif", f"-Dsnap.userdir={tmp_path}")
    assert "No product reader found" in attempt(safe).stderr
    product = tmp_path / safe.name.replace("S2C_", "S2B_")
    shutil.copytree(safe, product)
    assert "The naming convention structure is invalid" in attempt(product).stderr
    (product / "DATASTRIP" / "DS_2CPS").mkdir(parents=True)
    (product / "DATASTRIP" / "DS_2CPS" / "MTD_DS.xml").touch()
    assert attempt(product).returncode == 0 and (tmp_path / "b4.tif").exists()


def test_a_product_without_any_band_is_a_fault(standin, safe, tmp_path):
    product = tmp_path / safe.name
    shutil.copytree(safe, product, ignore=shutil.ignore_patterns("*.jp2"))
    done = gpt(standin, 13, "Subset", f"-Ssource={product}", "-t", tmp_path / "x.tif")
    assert done.returncode == 1 and "Unable to retrieve the image tile layout" in done.stderr


def test_diag_tells_version_and_settings(standin, tmp_path):
    home = standin.installed(12)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "snap.properties").write_text("snap.jai.tileCacheSize=600\nsnap.parallelism=3\n"
                                                      "snap.versionCheck.interval=NEVER\n")
    done = standin.run(home / "bin" / "gpt", "--diag", f"-Dsnap.userdir={tmp_path}", "-J-Xmx3G",
                       STANDIN_SNAP_LOG=tmp_path / "log")
    assert done.returncode == 0
    for line in ("SNAP Release version 12.0.0", f"SNAP home: {home}/bin/..", "Max memory: 3.0 GB",
                 "Cache size: 600.0 MB", "Tile parallelism: 3"):
        assert line in done.stdout.splitlines()
    assert "EngineVersionCheckActivator" not in done.stderr
    start, = standin.log(tmp_path / "log")
    assert start["what"] == "gpt" and "-J-Xmx3G" in start["arguments"] and start["userdir"] == str(tmp_path)
