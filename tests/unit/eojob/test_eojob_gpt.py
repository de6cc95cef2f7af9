"""The engine `gpt`: the graph it writes, how it calls gpt, and what it makes of gpt's end."""

import os
import subprocess
import threading
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from eojob import engines, graph, jobfile
from eojob.errors import EojobError, ProductError
from eojob_products import LocalProduct
from eojob_snap import make_home
from eojob_support import PIPES

GRAPH = """<graph id="mine"><version>1.0</version>
<node id="r"><operator>Read</operator><sources/><parameters><file>${source}</file></parameters></node>
<node id="s"><operator>Resample</operator><sources><sourceProduct refid="r"/></sources>
<parameters><targetResolution>$resolution</targetResolution><referenceBand>$name</referenceBand></parameters></node>
<node id="w"><operator>Write</operator><sources><sourceProduct refid="s"/></sources>
<parameters><file>$target</file><formatName>GeoTIFF</formatName></parameters></node></graph>
"""


@pytest.fixture
def make(tmp_path):
    """An engine whose gpt is a shell script; it runs in the folder of the rank."""
    def engine(script, **more):
        home = make_home(tmp_path / "home")
        (home / "bin/gpt").write_text("#!/bin/bash\n" + script)
        job = jobfile.parse(dict({
            "endpoint_url": "http://localhost", "bucket": "b", "prefix": "p", "output_dir": str(tmp_path / "out"),
            "engine": "gpt", "java_memory": "900M", "snap_home": str(home), "resolution": 60}, **more))
        made = engines.load(job)
        made.check()
        made.start(str(tmp_path))
        return made
    return engine


WRITES = 'printf "%s\\n" "$@" >arguments; cp "$1" seen.xml; touch "$EOJOB_TEST_TARGET"; echo 100% done.\n'


def test_a_chain_becomes_a_graph(make, tmp_path, monkeypatch):
    target = tmp_path / "out.tif"
    monkeypatch.setenv("EOJOB_TEST_TARGET", str(target))
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    engine = make(WRITES)
    product = engine.read_product(LocalProduct("/data/a&b/P.SAFE", ["B2"]))
    product = engine.create_product("Resample", {"targetResolution": 20, "downsampling": "Mean"}, product)
    product = engine.create_product("BandMaths", {"expression": "B2 < 5 && B3 > 1", "flag": True,
                                                  "sourceBands": ["B2", "B3"]}, product)
    engine.write_product(product, str(target), "GeoTIFF")
    root = ElementTree.parse(tmp_path / "snap/seen.xml").getroot()
    nodes = root.findall("node")
    assert [node.findtext("operator") for node in nodes] == ["Read", "Resample", "BandMaths", "Write"]
    assert nodes[0].findtext("parameters/file") == "/data/a&b/P.SAFE/MTD_MSIL1C.xml"
    assert {p.tag: p.text for p in nodes[1].find("parameters")} == {"targetResolution": "20", "downsampling": "Mean"}
    assert {p.tag: p.text for p in nodes[2].find("parameters")} == {
        "expression": "B2 < 5 && B3 > 1", "flag": "true", "sourceBands": "B2,B3"}
    assert {p.tag: p.text for p in nodes[3].find("parameters")} == {"file": str(target), "formatName": "GeoTIFF"}
    for before, node in zip(nodes, nodes[1:]):
        assert node.find("sources/sourceProduct").get("refid") == before.get("id")
    arguments = (tmp_path / "snap/arguments").read_text().splitlines()
    assert arguments[1:6] == ["-q", "3", "-c", "450M", "-J-Xmx900M"]
    assert {f"-J-Dsnap.userdir={tmp_path}/snap-userdir", f"-J-Djava.io.tmpdir={tmp_path}/snap-tmp"} <= set(arguments)
    assert engine.seconds["write"] >= 0
    assert (tmp_path / "out/logs/P.log").read_text() == "100% done.\n"


def test_a_graph_of_the_user_gets_what_it_mentions(make, tmp_path, monkeypatch):
    target = tmp_path / "out.tif"
    monkeypatch.setenv("EOJOB_TEST_TARGET", str(target))
    file = tmp_path / "mine.xml"
    file.write_text(GRAPH)
    engine = make(WRITES, graph=str(file))
    product = engine.read_product(LocalProduct("/data/a&b/P.SAFE", ["B2"]))
    engine.run_graph(str(file), {"name": "B2 & B3", "unused": 1}, product, str(target))
    arguments = (tmp_path / "snap/arguments").read_text().splitlines()
    assert sorted(a for a in arguments if a.startswith("-P")) == [
        "-Pname=B2 &amp; B3", "-Presolution=60", "-Psource=/data/a&amp;b/P.SAFE/MTD_MSIL1C.xml", f"-Ptarget={target}"]
    assert (tmp_path / "snap/seen.xml").read_text() == GRAPH
    resampled = engine.create_product("Resample", {"targetResolution": 20}, product)
    with pytest.raises(EojobError, match="give it as it was read"):
        engine.run_graph(str(file), {}, resampled, str(target))


@pytest.mark.parametrize("script, words", [
    ("echo start; echo 'Error: [NodeId: 1-Resample] Value for targetResolution'; echo bye; exit 1",
     r"ended with exit code 1: Error: \[NodeId: 1-Resample\] Value for targetResolution \(log: .*/logs/P.log\)"),
    ("echo 'java.lang.OutOfMemoryError: heap'; echo '    at org.esa.snap.X.error(X.java:1)'; exit 3",
     "ended with exit code 3: java.lang.OutOfMemoryError: heap"),
    ("exit 1", "ended with exit code 1: its log is empty"),
    ("kill -SEGV $$", "was killed by signal 11"),
    ("echo '100% done.'", "ended without an error and wrote no out.tif; does the graph write .target as GeoTIFF"),
])
def test_faults_of_gpt(make, tmp_path, script, words):
    engine = make(script + "\n")
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    with pytest.raises(ProductError, match=words):
        engine.write_product(product, str(tmp_path / "out.tif"), "GeoTIFF")


def alive(pid):
    return subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], **PIPES).stdout[:1] not in "Z"


def read_when_there(path):
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.02)
    return path.read_text()


def test_the_time_limit_ends_gpt_and_what_it_started(make, tmp_path):
    engine = make("sleep 300 & echo $! >child; wait\n", graph_timeout=1)
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    with pytest.raises(ProductError, match=r"ran longer than graph_timeout \(1 s\) and was killed"):
        engine.write_product(product, str(tmp_path / "out.tif"), "GeoTIFF")
    child = int((tmp_path / "snap/child").read_text())
    while alive(child):
        time.sleep(0.02)


def test_abort_ends_gpt_at_once_and_lets_no_other_start(make, tmp_path):
    engine = make("sleep 300 & echo $! >child; wait\n")
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    faults = []

    def write():
        try:
            engine.write_product(product, str(tmp_path / "out.tif"), "GeoTIFF")
        except ProductError as error:
            faults.append(str(error))
    thread = threading.Thread(target=write)
    thread.start()
    child = int(read_when_there(tmp_path / "snap/child"))
    engine.abort()
    thread.join()
    while alive(child):
        time.sleep(0.02)
    assert "was killed by signal 9" in faults[0]
    write()
    assert faults[1] == "gpt: not started, the job is being ended"


def test_names_that_would_break_the_graph(make):
    engine = make("exit 0\n")
    product = engine.read_product(LocalProduct("/data/P.SAFE", ["B2"]))
    with pytest.raises(EojobError, match="'a b' is no name"):
        engine.create_product("Subset", {"a b": 1}, product)


def test_check(tmp_path):
    base = {"endpoint_url": "http://localhost", "bucket": "b", "prefix": "p", "output_dir": "/o", "engine": "gpt"}
    with pytest.raises(EojobError, match="does not know where SNAP is; set job_snap_home, or snap_version"):
        engines.load(jobfile.parse(base)).check()
    base["snap_home"] = str(tmp_path / "home")
    with pytest.raises(EojobError, match=r"finds no SNAP in .*/home \(no bin/gpt\); set snap_version .*=gdal"):
        engines.load(jobfile.parse(base)).check()
    home = make_home(tmp_path / "home")
    with pytest.raises(EojobError, match="mine.xml cannot be read"):
        engines.load(jobfile.parse(dict(base, graph=str(tmp_path / "mine.xml"), java_memory="1G"))).check()
    os.chmod(home / "bin/gpt", 0o644)
    if os.geteuid():
        with pytest.raises(EojobError, match="may not execute"):
            engines.load(jobfile.parse(base)).check()


@pytest.mark.parametrize("text, words", [
    (None, "cannot be read (No such file"),
    ("no xml", "is no XML (syntax error"),
    (b"\xff\xfe\x00", "is no XML (not even text"),
    ("<project/>", "no graph of SNAP's"),
    (GRAPH.replace("${source}", "/data"), "does not mention ${source} for the product that it reads; write it"),
    (GRAPH.replace("${source}", "$sources").replace("$target", "x"), "mention ${source} for the product that it reads"
     " nor ${target} for the GeoTIFF"),
    (GRAPH, ""),
])
def test_faults_of_a_graph(tmp_path, text, words):
    path = tmp_path / "g.xml"
    if isinstance(text, bytes):
        path.write_bytes(text)
    elif text is not None:
        path.write_text(text)
    faults = graph.faults(str(path))
    assert len(faults) == (1 if words else 0)
    assert not faults or (faults[0].startswith(f"graph: {path}") and words in faults[0])


def test_job_file_with_a_graph(tmp_path):
    base = {"endpoint_url": "http://localhost", "bucket": "b", "prefix": "p", "output_dir": "/o", "graph": "/g.xml"}
    assert jobfile.parse(base).engine == "gpt"
    with pytest.raises(jobfile.JobFileError, match='engine: "snap" runs no graphs; use gpt, or leave graph out'):
        jobfile.parse(dict(base, engine="snap"))
    file = tmp_path / "g.xml"
    file.write_text(GRAPH)
    job = jobfile.parse(dict(base, graph=str(file)))
    value = jobfile.parameters_hash(job, None)
    assert jobfile.parameters_hash(job._replace(engine="snap"), None) != value
    file.write_text(GRAPH + " ")
    assert jobfile.parameters_hash(job, None) != value
    assert Path(job.graph) == file
