"""Ledger, status and report; files that appear whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from eojob import atomic, ledger, report
from eojob_support import python


def note(output, run, rank, product, state="done", **more):
    size = 3
    ledger.Ledger(str(output), run, rank).record(dict({
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
