"""A rank's pipeline: the next product on its way while one is computed, and whose cores may be used."""

import glob
import json
import os
import time
from pathlib import Path

import pytest
from eojob import ProductIO, jobfile, ledger, node, runner, schedule, startup
from eojob_products import assert_first, product_name

NAMES = [product_name(day) for day in (26, 27, 28)]


@pytest.fixture
def run(archive, products, prefix, settings, tmp_path):
    """Run a function as the script of a job on three products; exit code."""
    for product in products:
        archive.upload(product, prefix)

    def start(process, **changes):
        job = tmp_path / "job.json"
        job.write_text(json.dumps(dict(settings, **changes)))
        return runner.run_job(process, str(job), None, schedule.SerialCommunicator())
    return start


def until(condition, what):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError(f"{what} did not come")


def records(settings):
    out = settings["output_dir"]
    return [record for name in ledger.runs(out) for record in ledger.records(out, name)]


def test_the_next_is_fetched_and_the_one_before_published_meanwhile(run, settings, tmp_path):
    seen = []

    def folders():
        return glob.glob(str(tmp_path / "eojob-*" / "*.SAFE"))

    def process(product, output):
        ProductIO.writeProduct(product, output, "GeoTIFF")
        if seen:
            until(lambda: records(settings), "the record of the product before, while this one is at hand")
        if len(seen) < 2:
            until(lambda: len(folders()) == 2, "the next product's folder, while this one is at hand")
        seen.append(product.source.name)
    assert run(process, resolution=10) == 0
    assert sorted(seen) == NAMES
    assert [record["state"] for record in records(settings)] == ["done"] * 3


def test_records_say_what_a_product_has_cost(run, settings):
    def process(product, output):
        ProductIO.writeProduct(product, output, "GeoTIFF")
    assert run(process, resolution=10) == 0
    for record in records(settings):
        assert record["requests"] == 6 and record["method"] == "exact"
        assert 30e6 < record["peak_memory"] < 4e9
        assert {"list", "fetch", "wait", "decode", "write", "quicklook", "finish", "total"} <= set(record["seconds"])


def test_a_result_that_cannot_be_published_fails_that_product_only(run, settings, monkeypatch):
    from eojob import quicklook
    original = quicklook.draw

    def draw(planes, picture):
        if NAMES[1] in picture:
            raise OSError(28, "No space left on device", picture)
        original(planes, picture)
    monkeypatch.setattr(quicklook, "draw", draw)

    def process(product, output):
        ProductIO.writeProduct(product, output, "GeoTIFF")
    assert run(process, resolution=10) == 1
    states = {record["product"]: record["state"] for record in records(settings)}
    assert states == {NAMES[0]: "done", NAMES[1]: "failed", NAMES[2]: "done"}
    assert not (Path(settings["output_dir"]) / f"{NAMES[1]}.tif").exists()


@pytest.mark.parametrize("environment, cores", [
    ({}, len(os.sched_getaffinity(0))), ({"SLURM_JOB_ID": "1"}, 1),
    ({"SLURM_JOB_ID": "1", "SLURM_CPUS_PER_TASK": "3"}, 3)])
def test_cores_of_a_process_by_itself(monkeypatch, tmp_path, environment, cores):
    for key in ("SLURM_JOB_ID", "SLURM_CPUS_PER_TASK"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert node.Node(schedule.SerialCommunicator(), str(tmp_path)).cores() == cores


def test_cores_of_ranks_that_have_ended_are_shared(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_setaffinity", lambda pid, cpus: None)
    ranks = node.Node(schedule.SerialCommunicator(), str(tmp_path))
    ranks._total, ranks.ranks, ranks._flags = 4, 4, bytearray([1, 1, 1, 1])
    shares = [ranks.cores()]
    for other in (3, 2, 1):
        ranks._flags[other] = 0
        shares.append(ranks.cores())
    assert shares == [1, 1, 2, 4]
    ranks.leave()
    assert list(ranks._flags) == [0, 0, 0, 0]


def test_several_cores_give_the_same_pixels(run, settings, monkeypatch):
    counts = iter([1, 1, 2, 2, 2, 1, 1] + [2] * 1000)
    monkeypatch.setattr(node.Node, "cores", lambda self: next(counts))

    def process(product, output):
        from eojob import GPF
        resampled = GPF.createProduct("Resample", {"targetResolution": 20}, product)
        ProductIO.writeProduct(resampled, output, "GeoTIFF")
    assert run(process) == 0
    for day, name in zip((26, 27, 28), NAMES):
        assert_first(Path(settings["output_dir"]) / f"{name}.tif", day)


@pytest.mark.parametrize("limits, ranks, here, share", [
    ((0, 0), 100, 4, 4), ((8, 0), 1, 1, 4), ((8, 0), 4, 1, 2), ((4, 0), 16, 4, 1), ((0, 4), 100, 2, 2),
    ((16, 2), 4, 2, 1)])
def test_connections_are_shared(limits, ranks, here, share):
    job = jobfile.parse({"endpoint_url": "http://h", "bucket": "b", "prefix": "p", "output_dir": "/o",
                         "connections": 4, "max_connections": limits[0], "node_connections": limits[1]})
    assert startup.connections(job, ranks, here) == share
