"""The job file: every fault at once, each with key, value and remedy; and nothing beyond the standard library."""

import json
import subprocess
import sys

import pytest
from eojob import bands, jobfile
from eojob_support import FILES, PIPES

GOOD = {"endpoint_url": "http://data.cloudferro.com", "bucket": "DIAS", "prefix": "Sentinel-2/MSI/L1C/2022/10/01/",
        "output_dir": "/home/eouser/out"}


def test_defaults():
    job = jobfile.parse(GOOD)
    assert (job.resolution, job.bands, job.downsampling, job.engine) == (20, ("B2", "B3", "B4"), "First", "gdal")
    assert (job.page_size, job.max_products, job.compress, job.overwrite) == (1000, 0, "zstd", False)


def test_scratch_defaults_to_tmpdir(monkeypatch):
    monkeypatch.setenv("TMPDIR", "/local/scratch")
    assert jobfile.parse(GOOD).scratch_dir == "/local/scratch"
    monkeypatch.delenv("TMPDIR")
    assert jobfile.parse(GOOD).scratch_dir == "/tmp"


def test_all_faults_are_named_at_once():
    data = dict(GOOD, endpoint_url="data.cloudferro.com", resolution=25, bands=["B2", "B13"], downsampling="Median",
                engine="snapp", output_dir="out", compress="gif", page_size=0, overwrite="yes", colour="red")
    del data["bucket"]
    with pytest.raises(jobfile.JobFileError) as caught:
        jobfile.parse(data)
    text = "\n".join(caught.value.faults)
    assert len(caught.value.faults) == 11
    for key in ("endpoint_url", "bucket", "resolution", "bands", "downsampling", "engine", "output_dir", "compress",
                "page_size", "overwrite", "colour"):
        assert f"{key}: " in text
    assert "25" in text and "B13" in text and "B8A" in text, "value and remedy are named"


@pytest.mark.parametrize("key, value, words", [
    ("endpoint_url", "https://user:secret@host", "without user"),
    ("bucket", "DIAS/Sentinel-2", "prefix"),
    ("prefix", "s3://DIAS/x", "without leading"),
    ("prefix", "", "not empty"),
    ("resolution", 70, "does not divide"),
    ("resolution", True, "whole number"),
    ("bands", [], "list such as"),
    ("bands", ["B2", "B02"], "twice"),
    ("bands", ["B2", 3], "list such as"),
    ("output_dir", "/", "root folder"),
    ("connect_timeout", 0, "above 0"),
    ("max_products", -1, "from 0"),
    ("method", "approximate", "exact, wavelet"),
    ("format", "jpeg", "geotiff, cog"),
    ("downsampling", "First,First", "each once"),
    ("downsampling", "Median", "First, Mean"),
    ("write_to", "/tmp", "output_dir, scratch"),
    ("transfer", "rclone", "boto3, s3cmd"),
    ("upload_url", "https://bucket/x", "s3://BUCKET"),
    ("upload_endpoint_url", "host", "must be http"),
])
def test_fault(key, value, words):
    with pytest.raises(jobfile.JobFileError) as caught:
        jobfile.parse(dict(GOOD, **{key: value}))
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(f"{key}: ") and words in caught.value.faults[0]


@pytest.mark.parametrize("changes, words", [
    ({"method": "wavelet", "engine": "snap"}, 'method: "wavelet" is for engine gdal, and engine is "snap"'),
    ({"format": "cog", "engine": "gpt"}, 'format: "cog" is for engine gdal'),
    ({"format": "cog", "compress": "none"}, "use zstd"),
    ({"downsampling": "Mean, first", "engine": "snap"}, 'downsampling: "First,Mean" is for engine gdal'),
    ({"method": "wavelet", "resolution": 60, "bands": ["B2", "B5"]}, "for none of B2, B5 gives 60 m"),
    ({"method": "wavelet", "resolution": 10}, "for none of B2, B3, B4 gives 10 m"),
])
def test_what_does_not_go_together(changes, words):
    with pytest.raises(jobfile.JobFileError) as caught:
        jobfile.parse(dict(GOOD, **changes))
    assert len(caught.value.faults) == 1 and words in caught.value.faults[0]


@pytest.mark.parametrize("changes", [{"method": "wavelet"}, {"format": "cog"}, {"downsampling": "Mean"},
                                     {"compress": "lzw"}, {"upload_url": "s3://b/"}])
def test_what_changes_results_changes_their_hash(changes):
    job = jobfile.parse(GOOD)
    assert jobfile.parameters_hash(job, None) == jobfile.parameters_hash(jobfile.parse(dict(GOOD, connections=9)), None)
    assert jobfile.parameters_hash(jobfile.parse(dict(GOOD, **changes)), None) != jobfile.parameters_hash(job, None)


@pytest.mark.parametrize("asked, resolution, fits", [
    (["B2"], 10, True), (["B5"], 10, True), (["B1"], 10, True), (["B1"], 20, True), (["B5"], 60, True),
    (["B5"], 30, False), (["B1"], 40, False), (["B2"], 30, True), (["B2", "B8A", "B9"], 120, True),
])
def test_factor_has_to_be_whole(asked, resolution, fits):
    try:
        jobfile.parse(dict(GOOD, bands=asked, resolution=resolution))
        assert fits
    except jobfile.JobFileError as error:
        assert not fits
        assert asked[0] in error.faults[0] and "whole number" in error.faults[0]


@pytest.mark.parametrize("spelt, band", [("B02", "B2"), ("b8a", "B8A"), ("12", "B12"), ("B8", "B8"), ("B13", None),
                                         ("B0", None), ("TCI", None), ("B2A", None), ("", None)])
def test_band_names(spelt, band):
    assert bands.normalise(spelt) == band


def test_bands_as_text_and_numbers_as_text():
    job = jobfile.parse(dict(GOOD, bands="B04, B8A", resolution="60"))
    assert job.bands == ("B4", "B8A") and job.resolution == 60


def test_hash_follows_what_decides_the_result(tmp_path):
    script = tmp_path / "s.py"
    script.write_text("1")
    job = jobfile.parse(GOOD)
    value = jobfile.parameters_hash(job, str(script))
    assert jobfile.parameters_hash(job._replace(max_products=3, profile="x", connections=9), str(script)) == value
    assert jobfile.parameters_hash(job._replace(downsampling="Mean"), str(script)) != value
    assert jobfile.parameters_hash(job._replace(bands=("B3", "B2", "B4")), str(script)) != value
    script.write_text("2")
    assert jobfile.parameters_hash(job, str(script)) != value


def bare(code, *arguments):
    """Run `code` with the standard library and eojob, and nothing else that could be imported."""
    code = f"import sys; sys.path.insert(0, {str(FILES)!r}); {code}"
    return subprocess.run([sys.executable, "-I", "-S", "-c", code, *arguments], timeout=60, **PIPES)


def check(path, *more):
    return bare("from eojob.cli import main; sys.exit(main())", "check", str(path), *more)


def test_check_needs_the_standard_library_only(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(GOOD))
    done = check(path)
    assert (done.returncode, done.stderr) == (0, "")
    path.write_text(json.dumps(dict(GOOD, resolution=7)))
    done = check(path, "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["faults"][0].startswith("resolution: 7 ")


def test_a_package_that_is_missing_is_one_sentence(tmp_path):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(GOOD))
    told = bare("from eojob.cli import main; sys.exit(main())", "preflight", str(path))
    ran = bare("import eojob; eojob.run(lambda product, output: None)", str(path))
    assert told.returncode == ran.returncode == 2
    for line in (told.stdout.replace("FAIL  ", ""), ran.stderr):
        assert " cannot be imported " in line and line.endswith(f"install it for {sys.executable}\n")
        assert line.count("\n") == 1


@pytest.mark.parametrize("content, words", [("{", "not valid JSON"), ("[]", "one JSON object")])
def test_unreadable(tmp_path, content, words):
    path = tmp_path / "job.json"
    path.write_text(content)
    done = check(path)
    assert done.returncode == 2 and words in done.stderr and "Traceback" not in done.stderr


def test_missing_file(tmp_path):
    done = check(tmp_path / "none.json")
    assert done.returncode == 2 and "cannot be read (No such file" in done.stderr
