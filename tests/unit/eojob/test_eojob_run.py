"""Whole jobs against a real S3 server, started as a user starts them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from eojob import atomic, ledger, report
from eojob_products import assert_first, band_file, make_safe, product_name, write_manifest
from eojob_support import FILES, python

NAMES = [product_name(day) for day in (26, 27, 28)]


def upload_all(archive, products, prefix):
    for product in products:
        archive.upload(product, prefix)


def results(settings):
    return sorted(path.name for path in Path(settings["output_dir"]).iterdir() if path.is_file())


def everything_in(folder):
    return sorted(str(path.relative_to(folder)) for path in Path(folder).rglob("*"))


def all_records(output_dir):
    return [record for run in ledger.runs(output_dir) for record in ledger.records(output_dir, run)]


def assert_right(settings, names, k=2):
    for name in names:
        day = int(name.split("_")[2][6:8])
        assert_first(Path(settings["output_dir"]) / f"{name}.tif", day, settings["bands"], k)


def test_job_from_store_to_results(archive, products, prefix, settings, tmp_path):
    upload_all(archive, products, prefix)
    (tmp_path / "job.json").write_text(json.dumps(settings))
    done = python("image_processing.py", tmp_path / "job.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert results(settings) == sorted(f"{name}{suffix}" for name in NAMES for suffix in (".png", ".tif"))
    assert_right(settings, NAMES)
    lines = [line for line in done.stdout.splitlines() if " done " in line and "/3 " in line]
    assert len(lines) == 3 and "MB fetched, fetch" in lines[0]
    assert archive.secret not in done.stdout and archive.access not in done.stdout
    leftovers = [p for p in tmp_path.iterdir() if p.name.startswith("eojob-")]
    assert leftovers == [], "the scratch folder is gone"
    status = report.status(settings["output_dir"])
    assert (status["state"], status["total"], status["done"], status["failed"], status["skipped"]) == (
        "finished", 3, 3, 0, 0)
    fetched = sum(band_file(p, b).stat().st_size for p in products for b in settings["bands"])
    assert fetched < status["bytes_fetched"] == status["bytes_total"], "bands and the three small files"
    record = all_records(settings["output_dir"])[0]
    assert record["verified"] == "size, sha3_256"
    assert {"list", "fetch", "wait", "decode", "write", "quicklook", "total"} <= set(record["seconds"])


def test_only_what_is_needed_is_fetched(archive, prefix, settings, run_script, tmp_path):
    """B8 and QI_DATA in the store are broken beyond use; a job that does not ask for them does not notice."""
    safe = make_safe(tmp_path / "p", NAMES[0], bands=("B2", "B3", "B4", "B8"), seed=26)
    band_file(safe, "B8").write_bytes(b"broken")
    archive.upload(safe, prefix)
    archive.put(f"{prefix}{NAMES[0]}.SAFE/", b"")
    assert run_script(settings).returncode == 0
    assert_right(settings, NAMES[:1])


def test_resume_does_only_what_is_missing(archive, products, prefix, settings, run_script):
    upload_all(archive, products, prefix)
    assert run_script(dict(settings, max_products=1)).returncode == 0
    out = Path(settings["output_dir"])
    assert results(settings) == [f"{NAMES[0]}.png", f"{NAMES[0]}.tif"], "the first by name"
    before = (out / f"{NAMES[0]}.tif").stat().st_mtime_ns
    done = run_script(settings)
    assert done.returncode == 0 and "3 products, 1 done before, 2 to do" in done.stdout
    assert (out / f"{NAMES[0]}.tif").stat().st_mtime_ns == before
    assert report.status(str(out))["skipped"] == 1 and report.status(str(out))["done"] == 2
    (out / f"{NAMES[1]}.tif").unlink()
    with open(out / f"{NAMES[2]}.tif", "ab") as tampered:
        tampered.write(b"x")
    assert "1 done before, 2 to do" in run_script(settings).stdout, "a lost and a changed result are made again"
    assert "3 done before, 0 to do" in run_script(settings).stdout
    assert "0 done before, 3 to do" in run_script(dict(settings, overwrite=True)).stdout
    assert "0 done before, 3 to do" in run_script(dict(settings, downsampling="Mean")).stdout
    assert "0 done before, 3 to do" in run_script(settings).stdout, "the results are those of Mean now"


def test_truncated_product_fails_alone_and_is_done_when_mended(archive, products, prefix, settings, run_script):
    upload_all(archive, products, prefix)
    bad = band_file(products[1], "B3")
    key = f"{prefix}{bad.relative_to(products[1].parent)}"
    archive.put(key, bad.read_bytes()[:-5000])
    done = run_script(settings)
    assert done.returncode == 1
    assert "2 done, 1 failed" in done.stdout
    assert f"{NAMES[1]}  truncated/corrupt: GRANULE/" in done.stdout, "the table says which and why"
    assert_right(settings, [NAMES[0], NAMES[2]])
    assert len(results(settings)) == 4
    failure, = report.status(settings["output_dir"])["failures"]
    assert failure["product"] == NAMES[1] and failure["reason"].startswith("truncated/corrupt: ")
    archive.put(key, bad.read_bytes())
    done = run_script(settings)
    assert done.returncode == 0 and "2 done before, 1 to do" in done.stdout
    assert_right(settings, NAMES)


def test_truncated_band_without_manifest(archive, prefix, settings, run_script, tmp_path):
    safe = make_safe(tmp_path / "p", NAMES[0], manifest=False)
    band_file(safe, "B4").write_bytes(band_file(safe, "B4").read_bytes()[:-1])
    archive.upload(safe, prefix)
    done = run_script(settings)
    assert done.returncode == 1
    assert "truncated/corrupt: " in done.stdout and "B04.jp2 is not a whole JPEG 2000 file" in done.stdout
    assert results(settings) == []


def test_changed_byte_is_found_by_the_checksum(archive, prefix, settings, run_script, tmp_path):
    safe = make_safe(tmp_path / "p", NAMES[0])
    write_manifest(safe, "MD5")
    data = bytearray(band_file(safe, "B4").read_bytes())
    data[len(data) // 2] ^= 1
    band_file(safe, "B4").write_bytes(data)
    archive.upload(safe, prefix)
    done = run_script(settings)
    assert done.returncode == 1 and "truncated/corrupt: " in done.stdout and "has md5" in done.stdout


def test_missing_band_is_an_error_and_not_zeros(archive, products, prefix, settings, run_script):
    upload_all(archive, products[:2], prefix)
    archive.delete(f"{prefix}{band_file(products[0], 'B3').relative_to(products[0].parent)}")
    done = run_script(settings)
    assert done.returncode == 1 and "band B3 is missing" in done.stdout
    assert results(settings) == [f"{NAMES[1]}.png", f"{NAMES[1]}.tif"]


def test_names_that_are_no_level_1c_products(archive, products, prefix, settings, run_script):
    upload_all(archive, products[:1], prefix)
    archive.put(f"{prefix}S2A_OPER_PRD_MSIL1C_PDMC_2015.SAFE/x", b"x")
    archive.put(f"{prefix}readme.txt", b"x")
    archive.put(f"{prefix}other/x", b"x")
    done = run_script(settings)
    assert done.returncode == 1 and "before December 2016" in done.stdout and "1 done, 1 failed" in done.stdout


@pytest.mark.parametrize("body, words", [
    ("raise ValueError('my own\\nmistake')", "ValueError: my own mistake"),
    ("pass", "process() wrote no result"),
    ("open(output, 'w').write('x')", "the result cannot be read"),
    ("ProductIO.writeProduct(GPF.createProduct('Subset', {'sourceBands': 'B8'}, product), output, 'GeoTIFF')",
     "which the product does not hold"),
    ("ProductIO.writeProduct(product, output, 'GeoTIFF'); raise OSError(28, 'No space left on device')",
     "No space left"),
])
def test_a_failing_script_leaves_nothing_behind(archive, products, prefix, settings, run_script, tmp_path, body, words):
    upload_all(archive, products[:2], prefix)
    script = tmp_path / "mine.py"
    script.write_text("from eojob import GPF, ProductIO, run\ndef process(product, output):\n"
                      f"    {body}\nrun(process)\n")
    settings["bands"] = ["B2", "B3"]
    done = run_script(settings, script)
    assert done.returncode == 1 and words in done.stdout, done.stdout + done.stderr
    assert [p for p in everything_in(settings["output_dir"]) if not p.startswith("ledger")] == []
    assert all("Traceback" in record["traceback"] for record in all_records(settings["output_dir"]))


def test_the_tutorials_own_lines_work(archive, products, prefix, settings, run_script, tmp_path):
    upload_all(archive, products[:1], prefix)
    script = tmp_path / "tutorial.py"
    script.write_text('''from eojob import GPF, HashMap, ProductIO, run
def process(product, output):
    paramsRes = HashMap()
    paramsRes.put('targetResolution',20)
    productRes = GPF.createProduct('Resample', paramsRes, product)
    paramsSub = HashMap()
    paramsSub.put('sourceBands', 'B2,B3,B4')
    paramsSub.put('copyMetadata', 'true')
    productSub = GPF.createProduct('Subset', paramsSub, productRes)
    ProductIO.writeProduct(productSub, output, 'GeoTiff')
run(process)
''')
    assert run_script(settings, script).returncode == 0
    assert_right(settings, NAMES[:1])


@pytest.mark.parametrize("change, words", [
    ({"prefix": "Sentinel-2/none/"}, "prefix: no product"),
    ({"bucket": "nothere"}, "bucket: there is no 'nothere'"),
    ({"profile": "wrong"}, "credentials: "),
    ({"profile": "nobody"}, "profile: there is no 'nobody'"),
    ({"resolution": 7, "bands": ["X"]}, "job.json: 2 faults"),
])
def test_what_cannot_start_says_why_once(settings, run_script, change, words):
    done = run_script(dict(settings, **change))
    assert done.returncode == 2
    assert done.stderr.count("could not start: ") == 1 and words in done.stderr
    assert "Traceback" not in done.stderr


def test_usage():
    done = python("image_processing.py")
    assert done.returncode == 2 and "usage: image_processing.py JOB.json" in done.stderr


def test_sigterm_keeps_what_is_done_and_leaves_nothing_else(archive, products, prefix, settings, tmp_path):
    """Slurm's time limit comes while a product is being written, when the ledger holds one or two."""
    upload_all(archive, products, prefix)
    script = tmp_path / "slow.py"
    script.write_text(f'''import glob, time
from eojob import ProductIO, run
def process(product, output):
    ProductIO.writeProduct(product, output, 'GeoTIFF')
    if any(glob.glob({settings["output_dir"]!r} + "/ledger/*/rank-*.jsonl")):
        print("writing", flush=True)
        time.sleep(60)
run(process)
''')
    job = tmp_path / "job.json"
    job.write_text(json.dumps(settings))
    with subprocess.Popen([sys.executable, str(script), str(job)], stdout=subprocess.PIPE,
                          universal_newlines=True, env=dict(os.environ, PYTHONPATH=str(FILES))) as process:
        for line in process.stdout:
            if line.strip() == "writing":
                break
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert process.returncode == 143 and "ended by SIGTERM" in rest
    assert [p for p in tmp_path.iterdir() if p.name.startswith("eojob-")] == []
    status = report.status(settings["output_dir"])
    assert (status["state"], status["done"] + status["remaining"]) == ("interrupted", 3)
    assert status["done"] >= 1 and status["remaining"] >= 1
    assert len(results(settings)) == 2 * status["done"], "a picture with each image, and no temporary file"
    assert python("image_processing.py", job).returncode == 0
    assert_right(settings, NAMES)


def test_only_temporaries_of_killed_runs_are_removed(archive, products, prefix, settings, run_script, tmp_path):
    upload_all(archive, products[:1], prefix)
    out = Path(settings["output_dir"])
    out.mkdir()
    dead = subprocess.Popen(["true"])
    dead.wait()
    old = time.time() - 7200
    ours = out / f".{NAMES[0]}.{atomic.host()}.{dead.pid}.partial.tif"
    aged = out / f".{NAMES[0]}.elsewhere.77.partial.png"
    live = out / f".{NAMES[0]}.elsewhere.78.partial.tif"
    other = out / ".keep.tif"
    for path in (ours, aged, live, other):
        path.write_bytes(b"x")
    for path in (aged, other):
        os.utime(path, (old, old))
    stale = tmp_path / f"eojob-{atomic.host()}-{dead.pid}-abc"
    foreign = tmp_path / "eojob-elsewhere-1-abc"
    for folder in (stale, foreign):
        (folder / "x").mkdir(parents=True)
    assert run_script(settings).returncode == 0
    assert (ours.exists(), aged.exists(), live.exists(), other.exists()) == (False, False, True, True)
    assert (stale.exists(), foreign.exists()) == (False, True)


def test_objects_of_several_parts(archive, products, prefix, settings, monkeypatch):
    """Parts far smaller than the objects, fetched by four threads, make the same files."""
    from eojob import runner, schedule, transfer
    monkeypatch.setattr(transfer, "PART", 4099)
    upload_all(archive, products[:1], prefix)
    job = Path(settings["output_dir"]).parent / "job.json"
    job.write_text(json.dumps(settings))
    import image_processing
    assert runner.run_job(image_processing.process, str(job), None, schedule.SerialCommunicator()) == 0
    assert_right(settings, NAMES[:1])
    assert all_records(settings["output_dir"])[0]["verified"] == "size, sha3_256"


def test_scratch_too_small(archive, products, prefix, settings, monkeypatch):
    from eojob import runner, schedule, transfer
    upload_all(archive, products[:1], prefix)
    usage = transfer.shutil.disk_usage(settings["scratch_dir"])
    monkeypatch.setattr(transfer.shutil, "disk_usage", lambda path: usage._replace(free=10))
    job = Path(settings["output_dir"]).parent / "job.json"
    job.write_text(json.dumps(settings))
    assert runner.run_job(lambda product, output: None, str(job), None, schedule.SerialCommunicator()) == 1
    assert "name a larger scratch_dir" in report.status(settings["output_dir"])["failures"][0]["reason"]
