"""Ledger, status and report; files that appear whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from eojob import atomic, ledger, report
from eojob_support import python


def note(folder, run, rank, product, state="done", **more):
    size = 3
    ledger.Ledger(str(folder), run, rank).record(dict({
        "product": product, "state": state, "run": run, "rank": rank, "host": "h", "ended": run, "bytes": 10 ** 6,
        "parameters": "p", "output": f"{product}.tif", "output_bytes": size, "seconds": {"total": 2.0}}, **more))


def begin(output, run, products, **more):
    ledger.write_run(str(output), dict({
        "run": run, "state": "running", "started_epoch": 1000.0, "ended_epoch": None, "total": len(products),
        "ranks": 2, "products": [{"product": name, "bytes": size} for name, size in products.items()]}, **more))


def test_a_torn_last_line_is_passed_over(tmp_path):
    note(tmp_path, "r1", 0, "A")
    with open(tmp_path / "ledger" / "r1" / "rank-0000.jsonl", "a") as stream:
        stream.write('{"product": "B", "state": "do')
    note(tmp_path, "r1", 1, "C")
    assert [record["product"] for record in ledger.records(str(tmp_path), "r1")] == ["A", "C"]


def test_what_counts_as_done(tmp_path):
    note(tmp_path, "r1", 0, "A")
    note(tmp_path, "r1", 0, "B", state="failed")
    note(tmp_path, "r2", 0, "A", state="failed")
    done = ledger.last_done(str(tmp_path))
    assert set(done) == {"A"}
    assert not ledger.still_good(done["A"], str(tmp_path), "p"), "the result is not there"
    (tmp_path / "A.tif").write_bytes(b"123")
    assert ledger.still_good(done["A"], str(tmp_path), "p")
    assert not ledger.still_good(done["A"], str(tmp_path), "q")
    note(tmp_path, "r3", 0, "A", parameters="q")
    assert ledger.last_done(str(tmp_path))["A"]["parameters"] == "q", "what the result is now"


def test_many_results_are_looked_at_in_one_go(tmp_path):
    for name, output in (("A", "A.tif"), ("B", "B.tif"), ("C", "sub/C.tif"), ("D", "s3://mine/D.tif"),
                         ("E", "s3://mine/E.tif"), ("F", "F.tif"), ("G", "G.tif")):
        note(tmp_path, "r1", 0, name, output=output, parameters="q" if name == "F" else "p")
    (tmp_path / "sub").mkdir()
    for path in ("A.tif", "sub/C.tif", "F.tif"):
        (tmp_path / path).write_bytes(b"123")
    (tmp_path / "G.tif").write_bytes(b"1234")
    objects = {"s3://mine/D.tif": 3, "s3://mine/E.tif": 4}
    done = ledger.last_done(str(tmp_path), ledger.IDENTITY)
    assert all(set(record) == set(ledger.IDENTITY) for record in done.values())
    assert sorted(ledger.good(done, str(tmp_path), "p", objects.get)) == ["A", "C", "D"]
    assert sorted(ledger.good(done, str(tmp_path), "p")) == ["A", "C"], "nobody can say what the bucket holds"
    assert ledger.good(done, str(tmp_path / "none"), "p") == {}


def test_a_result_without_a_place_is_not_good(tmp_path):
    note(tmp_path, "r1", 0, "A", output=None)
    note(tmp_path, "r1", 0, "B", output_bytes=None)
    assert ledger.good(ledger.last_done(str(tmp_path)), str(tmp_path), "p") == {}


def test_records_are_written_together(tmp_path):
    book = ledger.Ledger(str(tmp_path), "r1", 3)
    book.record({"product": "A", "state": "done"}, {"product": "B", "state": "failed"})
    book.record({"product": "C", "state": "skipped", "seconds": {"total": 1.0}})
    found = list(ledger.records(str(tmp_path), "r1", ("product",)))
    assert found == [{"product": "A"}, {"product": "B"}, {"product": "C"}]


def test_a_ledger_of_the_first_version(tmp_path):
    """Its run.json holds the list of products."""
    run = {"run": "r1", "state": "interrupted", "started_epoch": 1000.0, "ended_epoch": 1010.0, "total": 2, "ranks": 1,
           "products": [{"product": "A", "bytes": 10}, {"product": "B", "bytes": 30}]}
    folder = tmp_path / "ledger" / "r1"
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(run))
    note(tmp_path, "r1", 0, "A", bytes=10)
    status = report.status(str(tmp_path))
    assert (status["bytes_total"], status["eta_seconds"], status["remaining"]) == (40, 30.0, 1)
    ledger.write_run(str(tmp_path), dict(run, state="finished"))
    assert "products" not in ledger.read_run(str(tmp_path), "r1")
    assert dict(report.status(str(tmp_path)), state="") == dict(status, state="")


def test_report_of_an_exact_job_says_what_it_took(tmp_path):
    begin(tmp_path, "r1", {"A": 5, "B": 5, "C": 5})
    note(tmp_path, "r1", 0, "A", peak_memory=150 * 10 ** 6, requests=20, method="exact")
    note(tmp_path, "r1", 0, "B", peak_memory=170 * 10 ** 6, requests=22, method="exact", bytes=3 * 10 ** 6)
    note(tmp_path, "r1", 1, "C", state="failed", peak_memory=190 * 10 ** 6, requests=1, error="x")
    content = report.report(str(tmp_path))
    assert content["peak_memory"] == {"median": 190 * 10 ** 6, "largest": 190 * 10 ** 6}
    assert (content["bytes_per_product"], content["requests_per_product"]) == (2 * 10 ** 6, 21.0)
    text = report.text(content)
    assert text.endswith("peak memory per rank 190 MB (median), 190 MB (largest); 2.0 MB in 21.0 requests per"
                         " product\n")
    assert content["approximation"] is None and "APPROXIMATE" not in text and "RMSE" not in text


def test_report_of_a_wavelet_job_says_that_its_pixels_are_approximate(tmp_path):
    def error(first, mean):
        return {"first": {"rmse": first, "bias": 0.1, "largest": 90}, "mean": {"rmse": mean, "bias": 0, "largest": 9}}
    begin(tmp_path, "r1", dict.fromkeys("ABCD", 5))
    note(tmp_path, "r1", 0, "A", method="wavelet", approximation=dict(error(11.24, 4.0), pixels=100))
    note(tmp_path, "r1", 0, "B", method="wavelet", approximation={"bands": {"B2": error(3, 8.0), "B3": error(17, 2)}})
    note(tmp_path, "r1", 0, "C", method="wavelet")
    note(tmp_path, "r1", 0, "D", method="wavelet", state="failed", error="x")
    content = report.report(str(tmp_path))
    assert content["approximation"] == {"products": 3, "unmeasured": 1, "first": [11.24, 17], "mean": [4.0, 8.0]}
    lines = report.text(content).splitlines()
    assert "RMSE First  RMSE Mean" in lines[0]
    cells = [line[lines[0].index("RMSE First"):].split()[:2] for line in lines[1:5]]
    assert cells == [["11.2", "4.0"], ["17.0", "8.0"], ["-", "-"], ["-", "-"]]
    assert lines[-1] == (
        "method wavelet: the pixels of 3 product(s) are APPROXIMATE, the half-resolution wavelet of JPEG 2000, which is"
        " neither First nor Mean; they differ from First by 11.2 to 17.0 DN and Mean by 4.0 to 8.0 DN (RMSE of a"
        " product's worst band); 1 of them without a measured error")


def test_status_while_running(tmp_path, monkeypatch):
    monkeypatch.setattr(report.time, "time", lambda: 1010.0)
    begin(tmp_path, "r1", {"A": 10 ** 6, "B": 10 ** 6, "C": 2 * 10 ** 6})
    note(tmp_path, "r1", 0, "A")
    note(tmp_path, "r1", 1, "B", state="failed", error="truncated/corrupt: x")
    assert report.status(str(tmp_path)) == {
        "run": "r1", "state": "running", "total": 3, "done": 1, "failed": 1, "skipped": 0, "remaining": 1,
        "bytes_fetched": 2 * 10 ** 6, "bytes_total": 4 * 10 ** 6, "elapsed_seconds": 10.0, "mb_per_second": 0.2,
        "eta_seconds": 10.0, "slurm_job_id": None, "exit_code": None,
        "failures": [{"product": "B", "reason": "truncated/corrupt: x"}]}


def test_status_of_nothing_and_of_a_beginning(tmp_path):
    assert report.status(str(tmp_path))["state"] == "none"
    begin(tmp_path, "r1", {"A": 5})
    status = report.status(str(tmp_path))
    assert (status["done"], status["remaining"], status["eta_seconds"]) == (0, 1, None)
    (tmp_path / "ledger" / "r2").mkdir()
    assert report.status(str(tmp_path))["state"] == "starting"


def test_status_and_report_on_the_command_line(tmp_path):
    note(tmp_path, "r1", 0, "A")
    begin(tmp_path, "r1", {"A": 5})
    begin(tmp_path, "r2", {"A": 0, "B": 10 ** 6}, ended_epoch=1004.0, state="finished")
    note(tmp_path, "r2", 0, "A", state="skipped", bytes=0, seconds={})
    note(tmp_path, "r2", 1, "B", state="failed", error="band B3 is missing")
    assert json.loads(python("-m", "eojob", "status", tmp_path).stdout)["skipped"] == 1
    done = python("-m", "eojob", "report", tmp_path)
    assert done.returncode == 0
    assert "done before" in done.stdout and "band B3 is missing" in done.stdout
    assert "ranks busy 25% of the time" in done.stdout
    assert (tmp_path / "report.txt").read_text() == done.stdout
    content = json.loads((tmp_path / "report.json").read_text())
    assert [p["product"] for p in content["products"]] == ["A", "B"]
    assert content["products"][0]["bytes"] == 10 ** 6, "the record of the run that made it"
    assert json.loads(python("-m", "eojob", "report", tmp_path, "--json").stdout) == content


def test_command_line_without_command_or_folder(tmp_path):
    assert python("-m", "eojob").returncode == 2
    done = python("-m", "eojob", "report", tmp_path / "none")
    assert done.returncode == 2 and "No such file" in done.stderr and "Traceback" not in done.stderr


def test_text_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    atomic.write_text(str(path), "old")
    with monkeypatch.context() as patch, pytest.raises(OSError):
        patch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
        atomic.write_text(str(path), "new")
    assert path.read_text() == "old"
    assert [p.name for p in Path(tmp_path).iterdir()] == ["a.json"]
