"""SNAP's engines on the stand-in for SNAP (tests/snap_standin): whole jobs, pixel by pixel equal to the engine gdal."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
from eojob import report
from eojob_products import band_file, product_name
from eojob_support import FILES, PIPES, ROOT

STANDIN = ROOT / "tests" / "snap_standin"
# The stand-in is made by the controller's Python; what it is made for is the one that runs this.
BUILDER = next(path for path in (str(ROOT / ".venv/bin/python3"), sys.executable) if os.path.exists(path))
TAG = "cp{}{}".format(*sys.version_info[:2])
NAME = product_name(26)
GOLDEN = Path(os.environ.get("EOCLUSTER_GOLDEN", ROOT.parent / "shared" / "golden"))


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], **PIPES, timeout=120, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


class Snap:
    """An installed stand-in: its home, and the folder that holds its Python module."""

    def __init__(self, folder: Path, major: int) -> None:
        self.home, self.site, self.major = folder / "home", folder / "site", major
        self.module = "snappy" if major == 9 else "esa_snappy"
        self.user = folder / "user"
        environment = dict(os.environ, HOME=str(self.user))
        made = run(BUILDER, STANDIN / "build.py", major, folder, "--python", sys.executable, "--seconds", 0,
                   "--jpy-wheel", TAG).stdout.split()
        installer = next(path for path in made if path.endswith(".sh"))
        toolbox = "S2TBX" if major == 9 else "S3TBX"
        varfile = folder / "answers.varfile"
        varfile.write_text(f"sys.component.SNAP$Boolean=true\nsys.component.{toolbox}$Boolean=true\n")
        run("sh", installer, "-q", "-varfile", varfile, "-dir", self.home, "-overwrite", env=environment)
        package = self.site / self.module
        for wheel in made:
            if "esa_snappy" in Path(wheel).name and wheel.endswith(".whl"):
                zipfile.ZipFile(wheel).extractall(self.site)
        if major == 9:  # carries no jpy for this Python: docs/snap.md, snap_jpy_wheel
            package.mkdir(parents=True)
            jpy = next(path for path in made if Path(path).name.startswith("jpy-"))
            zipfile.ZipFile(jpy).extractall(package)
            (package / Path(jpy).name).write_bytes(Path(jpy).read_bytes())
        run(self.home / "bin/snappy-conf", sys.executable, self.site, env=environment)


@pytest.fixture(scope="module", params=[9, 13 if sys.version_info >= (3, 9) else 10])  # 13 needs Python 3.9
def snap(request, tmp_path_factory):
    return Snap(tmp_path_factory.mktemp(f"snap{request.param}"), request.param)


@pytest.fixture
def job(archive, products, prefix, settings, tmp_path, snap):
    """Run a job on one product with the stand-in in place, as a user starts it."""
    archive.upload(products[0], prefix)

    def start(engine, script=FILES / "image_processing.py", log=None, **more):
        output = tmp_path / f"{engine}-{len(list(tmp_path.iterdir()))}"
        content = dict(settings, engine=engine, output_dir=str(output), snap_home=str(snap.home), java_memory="700M",
                       **more)
        if engine == "snap":
            del content["snap_home"]  # its module knows
        path = tmp_path / "job.json"
        path.write_text(json.dumps(content))
        environment = dict(os.environ, PYTHONPATH=f"{FILES}:{snap.site}", HOME=str(snap.user))
        if log:
            environment["STANDIN_SNAP_LOG"] = str(log)
        done = subprocess.run([sys.executable, str(script), str(path)], **PIPES, timeout=300,
                              env=environment, cwd=tmp_path)
        return done, output
    return start


def image(output):
    with rasterio.open(output / f"{NAME}.tif") as dataset:
        return dataset.read(), dataset.transform, dataset.crs


def assert_same(one, other):
    pixels, transform, crs = image(one)
    wanted, wanted_transform, wanted_crs = image(other)
    assert pixels.dtype == wanted.dtype and np.array_equal(pixels, wanted)
    assert transform == wanted_transform and crs == wanted_crs


@pytest.mark.timeout(300)
@pytest.mark.parametrize("downsampling", ["First", "Mean"])
@pytest.mark.parametrize("resolution", [20, 60])
def test_all_engines_give_the_same_pixels(job, resolution, downsampling):
    made = {}
    for engine in ("gdal", "snap", "gpt"):
        done, made[engine] = job(engine, resolution=resolution, downsampling=downsampling)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (made[engine] / f"{NAME}.png").exists()
        assert report.status(str(made[engine]))["done"] == 1
    assert_same(made["snap"], made["gdal"])
    assert_same(made["gpt"], made["gdal"])
    assert (made["gpt"] / f"logs/{NAME}.log").read_text()


@pytest.mark.timeout(300)
def test_a_graph_of_the_user(job, tmp_path):
    path, example = tmp_path / "graph.xml", FILES / "graphs" / "resample_subset.xml"
    done, output = job("gpt", FILES / "graph_processing.py", graph=str(example), resolution=60, downsampling="Mean")
    assert done.returncode == 0, done.stdout + done.stderr
    _, wanted = job("gdal", resolution=60, downsampling="Mean")
    assert_same(output, wanted)
    path.write_text(example.read_text().replace("Resample</operator>", "Resampel</operator>"))
    done, output = job("gpt", FILES / "graph_processing.py", graph=str(path))
    assert done.returncode == 1 and "gpt: ended with exit code 1: " in done.stdout and "Resampel" in done.stdout
    assert not list(output.glob("*.tif"))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["snap", "gpt"])
def test_a_rank_has_folders_and_memory_of_its_own(job, engine, tmp_path):
    log = tmp_path / "starts.jsonl"
    done, _ = job(engine, log=log)
    assert done.returncode == 0, done.stdout + done.stderr
    start, = [json.loads(line) for line in log.read_text().splitlines()]
    assert Path(start["userdir"]).parent.name.startswith("eojob-") and Path(start["userdir"]).name == "snap-userdir"
    assert [option for option in start["options"] if option.startswith("-Xmx")][-1] == "-Xmx700M"
    temporary = [option for option in start["options"] if option.startswith("-Djava.io.tmpdir=")][-1]
    assert Path(temporary.split("=")[1]).parent == Path(start["userdir"]).parent
    assert not Path(start["userdir"]).parent.exists(), "the scratch folder is gone"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", ["snap", "gpt"])
def test_a_fault_of_snap_stops_one_product_only(job, engine, archive, products, prefix, settings):
    archive.upload(products[1], prefix)
    archive.put(f"{prefix}{product_name(27)}.SAFE/{band_file(products[1], 'B3').relative_to(products[1])}", b"broken")
    done, output = job(engine)
    assert done.returncode == 1 and "1 done, 1 failed" in done.stdout
    assert [path.name for path in output.glob("*.tif")] == [f"{NAME}.tif"]


@pytest.mark.timeout(300)
@pytest.mark.skipif(not GOLDEN.exists(), reason="SNAP's own output is not on this machine")
@pytest.mark.parametrize("engine, files", [
    ("snap", {"snap_first.tif": {}, "snap_60.tif": {"resolution": 60}}),
    ("gpt", {"snap_mean.tif": {"downsampling": "Mean"}})])
def test_what_snap_itself_wrote(job, engine, files, archive, settings):
    safe, = GOLDEN.glob("*.SAFE")
    settings["prefix"] = "golden/"
    archive.upload(safe, "golden/")
    archive.delete(f"golden/{safe.name}/manifest.safe")  # of the whole product; this one's bands are cut out of it
    for file, more in files.items():
        done, output = job(engine, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        with rasterio.open(GOLDEN / file) as wanted, rasterio.open(output / f"{safe.stem}.tif") as made:
            assert np.array_equal(made.read(), wanted.read()), file
            assert (made.transform, made.crs, made.dtypes) == (wanted.transform, wanted.crs, wanted.dtypes)


@pytest.mark.timeout(300)
def test_the_tutorials_lines_on_its_own_module(snap, products, tmp_path):
    """The middle of the tutorial's script, with the module `snappy` that it imports."""
    script = tmp_path / "tutorial.py"
    script.write_text(f"""from snappy import ProductIO
from snappy import HashMap
from snappy import GPF
product_ex_prefix = {NAME + ".SAFE/"!r}
product = ProductIO.readProduct(product_ex_prefix)
paramsRes = HashMap()
paramsRes.put('targetResolution',20)
productRes = GPF.createProduct('Resample', paramsRes, product)
paramsSub = HashMap()
paramsSub.put('sourceBands', 'B2,B3,B4')
paramsSub.put('copyMetadata', 'true')
productSub = GPF.createProduct('Subset', paramsSub, productRes)
ProductIO.writeProduct(productSub, product_ex_prefix, 'GeoTiff')
""")
    os.symlink(products[0], tmp_path / f"{NAME}.SAFE")
    path = [str(snap.site)] + ([str(FILES / "snappy_compat")] if snap.major >= 10 else [])
    environment = dict(os.environ, PYTHONPATH=":".join(path), HOME=str(snap.user),
                       JAVA_TOOL_OPTIONS=f"-Dsnap.userdir={tmp_path}/userdir")
    done = subprocess.run([sys.executable, str(script)], **PIPES, timeout=120, cwd=tmp_path,
                          env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    with rasterio.open(tmp_path / f"{NAME}.SAFE.tif") as dataset:
        assert (dataset.count, dataset.width, dataset.height) == (3, 192, 192)
