"""Listing and errors against a real S3 server, and preflight's sentences."""

import json
import subprocess
from pathlib import Path

import pytest
from eojob import catalogue, cli, jobfile, safe
from eojob.errors import ProductError
from eojob.store import Store
from eojob_products import make_safe, product_name
from eojob_support import BUCKET, free_ports


def job_of(settings, **change):
    return jobfile.parse(dict(settings, **change))


def test_listing_in_tiny_pages(archive, settings, prefix):
    names = [product_name(day) for day in range(1, 12)]
    for name in reversed(names):
        archive.put(f"{prefix}{name}.SAFE/{safe.MANIFEST}", b"x")
        archive.put(f"{prefix}{name}.SAFE/HTML/x", b"x")
    archive.put(f"{prefix}notes/x", b"x")
    expected = [f"{prefix}{name}.SAFE/" for name in names]
    for size in (1, 2, 5, 1000):
        job = job_of(settings, page_size=size)
        store = Store(job, 2)
        assert catalogue.product_prefixes(store, job) == expected
        assert set(store.sizes(expected[0])) == {safe.MANIFEST, "HTML/x"}
    job = job_of(settings, page_size=2, max_products=3)
    assert catalogue.product_prefixes(Store(job, 2), job) == expected[:3]


def test_prefix_without_slash_and_prefix_of_one_product(archive, settings, prefix):
    archive.put(f"{prefix}{product_name(1)}.SAFE/x", b"x")
    archive.put(f"{prefix}{product_name(2)}.SAFE/x", b"x")
    for asked, count in ((prefix.rstrip("/"), 2), (f"{prefix}{product_name(2)}.SAFE/", 1), (f"{prefix}S2C_", 2)):
        job = job_of(settings, prefix=asked)
        assert len(catalogue.product_prefixes(Store(job, 2), job)) == count


def test_largest_first(archive, settings, prefix, tmp_path):
    for day, seed_bands in ((1, ("B5",)), (2, ("B5", "B2")), (3, ("B5",))):
        archive.upload(make_safe(tmp_path, product_name(day), bands=seed_bands), prefix)
    job = job_of(settings, bands=["B5"])
    store = Store(job, 4)
    entries = catalogue.describe_all(store, catalogue.product_prefixes(store, job), job.bands, 4)
    sizes = [entry.size() for entry in entries]
    assert sizes == sorted(sizes, reverse=True) and all(sizes)
    assert set(entries[0].objects) == {"product", "tile", "manifest", "B5"}


def test_needed_objects_names_all_that_is_missing():
    with pytest.raises(ProductError) as caught:
        safe.needed_objects({"MTD_MSIL1C.xml": (1, ""), "GRANULE/G/IMG_DATA/T_B02.jp2": (1, "")}, ["B2", "B3", "B8A"])
    for words in ("MTD_TL.xml is missing", "band B3", "band B8A"):
        assert words in str(caught.value)
    two = {f"GRANULE/{g}/IMG_DATA/T_B02.jp2": (1, "") for g in "AB"}
    with pytest.raises(ProductError, match="2 objects match"):
        safe.needed_objects(dict(two, **{"MTD_MSIL1C.xml": (1, ""), "GRANULE/A/MTD_TL.xml": (1, "")}), ["B2"])


@pytest.fixture
def preflight(tmp_path, capfd):
    """`python3 -m eojob preflight` on the settings; what came of it, as of a process."""
    def run(settings, *more):
        return _preflight(settings, tmp_path, capfd, *more)
    return run


def _preflight(settings, tmp_path, capfd, *more):
    path = tmp_path / "preflight.json"
    path.write_text(json.dumps(settings))
    capfd.readouterr()
    code = cli.main(["preflight", str(path), *more])
    return subprocess.CompletedProcess([], code, *capfd.readouterr())


def test_preflight_is_content(archive, products, prefix, settings, preflight):
    archive.upload(products[0], prefix)
    done = preflight(settings)
    assert done.returncode == 0, done.stdout
    assert "FAIL" not in done.stdout and "holds 1 product(s)" in done.stdout and "results need about" in done.stdout
    told = json.loads(preflight(settings, "--json").stdout)
    assert told["ok"] and [check["name"] for check in told["checks"]] == ["engine", "output_dir", "store", "disk space"]


@pytest.mark.parametrize("change, words", [
    ({"bucket": "dias"}, ["bucket: there is no 'dias'", f"there are {BUCKET}"]),
    ({"profile": "wrong"}, ["credentials: ", "profile 'wrong'", "renew the keys"]),
    ({"profile": "gone"}, ["profile: there is no 'gone'", "name another"]),
    ({"profile": ""}, ["credentials: the default profile has no access and secret key"]),
    ({"output_dir": "/proc/eojob"}, ["output_dir: /proc/eojob cannot be written"]),
    ({"bands": ["B12"]}, ["none of the first 1 products", "band B12 is missing"]),
])
def test_preflight_finds(archive, products, prefix, settings, preflight, change, words):
    archive.upload(products[0], prefix)
    done = preflight(dict(settings, **change))
    assert done.returncode == 2
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 1, done.stdout
    for part in words:
        assert part in failed[0]
    assert archive.secret not in done.stdout


def test_preflight_store_down(settings, preflight):
    port, = free_ports(1)
    done = preflight(dict(settings, endpoint_url=f"http://127.0.0.1:{port}"))
    assert done.returncode == 2
    assert f"endpoint_url: http://127.0.0.1:{port} does not answer (connection refused)" in done.stdout


def test_preflight_unknown_prefix_names_the_nearest(archive, settings, prefix, preflight):
    for day in range(10, 17):
        archive.put(f"{prefix}{day}/{product_name(day)}.SAFE/x", b"x")
    done = preflight(dict(settings, prefix=f"{prefix}31/99/"))
    assert done.returncode == 2
    assert f"the nearest that exists is '{prefix}', with {prefix}10/, {prefix}11/" in done.stdout
    assert "(7 in all)" in done.stdout
    done = preflight(settings)
    assert f"it holds {prefix}10/" in done.stdout and "name one of them" in done.stdout


def test_preflight_of_a_faulty_job_file(settings, preflight):
    done = preflight(dict(settings, resolution=11))
    assert done.returncode == 2 and "resolution: 11 must be a multiple of 10" in done.stderr
    told = json.loads(preflight(dict(settings, resolution=11), "--json").stdout)
    assert not told["ok"] and told["checks"][0]["message"].startswith("resolution: 11 ")


def test_preflight_disk_space(archive, products, prefix, settings, monkeypatch):
    from eojob import preflight as module
    archive.upload(products[0], prefix)
    Path(settings["output_dir"]).mkdir()
    usage = module.shutil.disk_usage(settings["output_dir"])
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    checks = {check.name: check for check in module.preflight(jobfile.parse(settings))}
    assert not checks["disk space"].ok and "lower max_products" in checks["disk space"].message
