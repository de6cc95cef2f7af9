"""The comparison of clients: ours brings all objects, and a client that does not is told."""

import pytest
from eojob import catalogue, jobfile
from eojob.store import Store
from job import store as bench_store
from transfer import ways


@pytest.fixture
def job(server):
    return jobfile.parse({"endpoint_url": f"http://{server.host}:{server.port}", "bucket": bench_store.BUCKET,
                          "prefix": "Sentinel-2/MSI/L1C/2025/02/01/", "profile": bench_store.PROFILE,
                          "output_dir": "/nonexistent"})


@pytest.fixture
def entries(job, tmp_path):
    store = Store(job, 2)
    found = catalogue.describe_all(store, catalogue.product_prefixes(store, job), job.bands, 2)
    for entry in found:
        (tmp_path / entry.name).mkdir()
    return found


@pytest.mark.parametrize("way", ["eojob (boto3)", "obstore", *ways.RANGES])
def test_all_that_is_asked_for_comes(job, entries, tmp_path, way):
    wall, cpu = ways.measure(way, job, entries, tmp_path)
    assert len(entries) == 3 and wall > 0 and cpu > 0


def test_a_client_that_leaves_something_out_is_told(job, entries, tmp_path, monkeypatch):
    monkeypatch.setitem(ways.WAYS, "idle", lambda _: lambda entry, folder: None)
    with pytest.raises(RuntimeError, match="idle has brought {} instead of {'MTD_MSIL1C.xml"):
        ways.measure("idle", job, entries, tmp_path)
