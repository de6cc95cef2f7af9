"""The engine `snap`: what it asks of esa_snappy and snappy, how they are started, and that nothing is left open."""

import json
import os
import sys

import pytest
from eojob import atomic, engines, jobfile, runner, safe, schedule
from eojob.engines import snap
from eojob.errors import EojobError, ProductError
from eojob_products import LocalProduct
from eojob_snap import make_home, make_module, recorded

GOOD = {"endpoint_url": "http://localhost", "bucket": "b", "prefix": "p", "output_dir": "/out", "engine": "snap",
        "java_memory": "900M"}


@pytest.fixture(params=["esa_snappy", "snappy"])
def module(request, tmp_path, monkeypatch):
    """A recorder installed as either of SNAP's modules; its package."""
    home = make_home(tmp_path / "home")
    package = make_module(tmp_path / "site", request.param,
                          f"[DEFAULT]\nsnap_home = {home}\njava_max_mem = 99G\n"
                          "java_options = -Dkept=50%%|-Dsnap.userdir=/shared\n")
    monkeypatch.syspath_prepend(str(package.parent))
    monkeypatch.setenv("RECORD", str(tmp_path / "record"))
    for name in snap.MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield package
    for name in snap.MODULES:
        sys.modules.pop(name, None)


def started(tmp_path, **more):
    engine = engines.load(jobfile.parse(dict(GOOD, **more)))
    engine.check()
    (tmp_path / "scratch").mkdir()
    engine.start(str(tmp_path / "scratch"))
    return engine


def test_check_starts_no_jvm(module, tmp_path):
    engines.load(jobfile.parse(GOOD)).check()
    assert recorded(tmp_path / "record") == [] and module.name not in sys.modules


def test_ini_of_the_rank_wins_over_the_installed_one(module, tmp_path):
    before = os.getcwd()
    started(tmp_path)
    assert os.getcwd() == before
    (what, ini, folder), = recorded(tmp_path / "record")
    scratch = tmp_path / "scratch"
    assert (what, folder) == ("ini", str(scratch / "snap"))
    assert ini["java_max_mem"] == "900M" and ini["snap_home"] == str(tmp_path / "home"), "the installed home stays"
    options = ini["java_options"].replace("%%", "%").split("|")
    assert options[0] == "-Dkept=50%"
    assert f"-Dsnap.userdir={scratch}/snap-userdir" in options and "-Dsnap.userdir=/shared" not in options
    assert f"-Djava.io.tmpdir={scratch}/snap-tmp" in options and "-Xrs" in options


def test_home_of_the_job_wins(module, tmp_path):
    other = make_home(tmp_path / "other")
    started(tmp_path, snap_home=str(other))
    assert recorded(tmp_path / "record")[0][1]["snap_home"] == str(other)


def test_parameters_are_typed_as_java_wants_them(module, tmp_path):
    engine = started(tmp_path)
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    engine.create_product("Any", {"whole": 20, "flag": True, "list": ["B2", "B3"], "text": "Mean", "part": 0.5,
                                  "large": 2 ** 40}, product)
    _, read, create = recorded(tmp_path / "record")
    assert read == ["read", os.path.join("/data/P.SAFE", safe.PRODUCT_METADATA)]
    assert create == ["create", "Any", {"whole": ["Integer", 20], "flag": "true", "list": "B2,B3", "text": "Mean",
                                        "part": "0.5", "large": str(2 ** 40)}, "read"]


@pytest.mark.parametrize("fail", ["", "Second", "dispose"])
def test_every_product_is_disposed_of_also_after_a_fault(module, tmp_path, monkeypatch, fail):
    engine = started(tmp_path)
    monkeypatch.setenv("FAIL", fail)
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    first = engine.create_product("First", {}, product)
    with pytest.raises(ProductError) as caught:
        second = engine.create_product("Second", {}, first)
        engine.write_product(second, "/out/x.tif", "GeoTIFF")
    engine.close_product(product)
    disposed = [entry[1] for entry in recorded(tmp_path / "record") if entry[0] == "dispose"]
    assert disposed == (["First", "read"] if fail == "Second" else ["Second", "First", "read"])
    words = "Second: org.esa.snap.core.gpf.OperatorException: no" if fail == "Second" else \
        "x.tif cannot be written: java.io.IOException: disk full"
    assert str(caught.value) == f"SNAP: {words}"
    engine.stop()
    assert len([entry for entry in recorded(tmp_path / "record") if entry[0] == "dispose"]) == len(disposed)


def test_a_product_without_a_reader(module, tmp_path, monkeypatch):
    engine = started(tmp_path)
    monkeypatch.setenv("FAIL", "read")
    with pytest.raises(ProductError, match="no reader for P; is the toolbox Sentinel-2 among snap_toolboxes"):
        engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))


def test_a_jvm_that_does_not_start(module, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIL", "import")
    with pytest.raises(EojobError, match="could not start SNAP through .*snappy: jpy: failed to create Java VM; run"):
        started(tmp_path)


def test_without_a_module(monkeypatch):
    monkeypatch.setattr(snap, "MODULES", ("no_such_snappy",))
    with pytest.raises(EojobError) as caught:
        engines.load(jobfile.parse(GOOD)).check()
    assert "needs the module esa_snappy or snappy" in str(caught.value)
    assert "set snap_version in group_vars/all.yml and run site.yml, or use JOB_ENGINE=gdal" in str(caught.value)


def test_module_that_was_not_configured(module):
    (module / f"{module.name}.ini").unlink()
    with pytest.raises(EojobError, match=rf"finds {module.name} not configured .* run site.yml"):
        engines.load(jobfile.parse(GOOD)).check()


def test_home_that_is_gone(module, tmp_path):
    (tmp_path / "home/bin/gpt").unlink()
    with pytest.raises(EojobError, match=f"finds no SNAP in {tmp_path}/home .* or correct job_snap_home"):
        engines.load(jobfile.parse(GOOD)).check()


def test_settings_that_cannot_be_read(module):
    (module / f"{module.name}.ini").write_text("snap_home = x\n")
    with pytest.raises(EojobError, match=r"\.ini in .* cannot be read"):
        engines.load(jobfile.parse(GOOD)).check()


def test_graphs_are_for_gpt(module):
    with pytest.raises(EojobError, match="engine snap runs no graphs; use JOB_ENGINE=gpt"):
        engines.load(jobfile.parse(GOOD)).run_graph("g.xml", {}, None, "x.tif")


def test_bands_come_in_the_products_order(module):
    job = jobfile.parse(dict(GOOD, bands=["B4", "B8A", "B12", "B3"]))
    assert engines.load(job).result_bands() == ["B3", "B4", "B8A", "B12"]
    assert engines.load(job._replace(engine="gdal")).result_bands() == ["B4", "B8A", "B12", "B3"]


class TwoRanks:
    """What rank 0 sees of two ranks, of which the other one has a fault at the step number `step`."""

    rank, size = 0, 2

    def __init__(self, step, fault):
        self.step, self.fault, self.seen = step, fault, 0

    def Ibarrier(self):
        return self

    def Test(self):
        return True

    def allgather(self, value):
        self.seen += 1
        return [value, self.fault if self.seen == self.step else ""]


def test_an_engine_that_one_worker_lacks_is_told_with_its_name(module, settings, tmp_path, capfd):
    (tmp_path / "job.json").write_text(json.dumps(dict(settings, engine="snap", java_memory="900M")))
    comm = TwoRanks(3, "worker002: engine: 'snap' needs the module esa_snappy or snappy")  # after job file and store
    assert runner.run_job(lambda product, output: None, str(tmp_path / "job.json"), None, comm) == 2
    assert capfd.readouterr().err == f"could not start: {comm.fault}\n"
    assert recorded(tmp_path / "record") == [] and not (tmp_path / "out").exists()


def test_a_jvm_that_does_not_start_stops_the_job_before_it_begins(module, settings, tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("FAIL", "import")
    (tmp_path / "job.json").write_text(json.dumps(dict(settings, engine="snap", java_memory="900M")))
    comm = schedule.SerialCommunicator()
    assert runner.run_job(lambda product, output: None, str(tmp_path / "job.json"), None, comm) == 2
    told = capfd.readouterr().err
    assert told.startswith(f"could not start: {atomic.host()}: engine: 'snap' could not start SNAP through")
    assert told.count("\n") == 1 and not (tmp_path / "out").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith("eojob-")] == [], "no scratch is left"


def test_masks_of_the_bands_are_needed_too():
    tile = "GRANULE/L1C_X/"
    sizes = {"MTD_MSIL1C.xml": 1, tile + "MTD_TL.xml": 1, tile + "IMG_DATA/T_B02.jp2": 1,
             tile + "IMG_DATA/T_B8A.jp2": 1, tile + "QI_DATA/MSK_DETFOO_B02.jp2": 2,
             tile + "QI_DATA/MSK_QUALIT_B8A.jp2": 3, tile + "QI_DATA/MSK_DETFOO_B03.jp2": 4,
             tile + "QI_DATA/MSK_CLASSI_B00.jp2": 5, tile + "QI_DATA/MSK_CLOUDS_B00.gml": 6,
             tile + "QI_DATA/T_PVI.jp2": 7}
    found = safe.needed_objects({path: (size, "") for path, size in sizes.items()}, ("B2", "B8A"),
                                snap.SnapEngine.also_needed)
    more = {role: item.size for role, item in found.items() if role == item.path}
    assert sorted(more.values()) == [2, 3, 5, 6]
    assert set(found) - set(more) == {"product", "tile", "B2", "B8A"}
