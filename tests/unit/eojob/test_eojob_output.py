"""Where results go and in what form: scratch first, a bucket of the user's, Cloud Optimized GeoTIFF."""

import secrets
from pathlib import Path

import numpy as np
import pytest
import rasterio
from eojob import jobfile, ledger, upload
from eojob.errors import EojobError
from eojob_products import assert_first, pixels, product_name

NAMES = [product_name(day) for day in (26, 27, 28)]


@pytest.fixture
def filled(archive, products, prefix):
    """All products are below the prefix."""
    for product in products:
        archive.upload(product, prefix)


@pytest.fixture
def bucket(archive):
    """A bucket of the test's own."""
    name = f"results-{secrets.token_hex(4)}"
    archive.client.create_bucket(Bucket=name)
    return name


def files(folder):
    return sorted(path.name for path in Path(folder).iterdir() if path.is_file())


def objects(archive, bucket):
    listed = archive.client.list_objects_v2(Bucket=bucket).get("Contents", ())
    return {entry["Key"]: entry["Size"] for entry in listed if entry["Size"]}


def records(settings):
    out = settings["output_dir"]
    return list(ledger.records(out, ledger.runs(out)[-1]))


def test_by_way_of_scratch(filled, settings, run_script, tmp_path):
    assert run_script(dict(settings, write_to="scratch")).returncode == 0
    assert files(settings["output_dir"]) == sorted(f"{name}{end}" for name in NAMES for end in (".png", ".tif"))
    assert_first(Path(settings["output_dir"]) / f"{NAMES[0]}.tif", 26)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("eojob-")]


@pytest.mark.parametrize("compress", ["zstd", "deflate", "lzw"])
def test_cloud_optimized(archive, products, prefix, settings, run_script, compress):
    archive.upload(products[0], prefix)
    assert run_script(dict(settings, resolution=10, format="cog", compress=compress)).returncode == 0
    with rasterio.open(Path(settings["output_dir"]) / f"{NAMES[0]}.tif") as result:
        assert result.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert result.descriptions == ("B2", "B3", "B4") and result.tags()["PRODUCT"] == NAMES[0]
        assert np.array_equal(result.read(1), pixels("B2", 26))
        assert result.compression.name == compress


def test_the_overviews_of_a_large_one_leave_out_no_data(tmp_path):
    from eojob import geotiff
    values = np.full((1100, 1100), 4000, dtype="uint16")
    values[::2] = 0
    writer = geotiff.Writer(str(tmp_path / "a.tif"), values.shape, ["B2"], 32633, (0, 0), 10, "zstd", {})
    writer.write(0, 0, values)
    writer.close()
    geotiff.to_cog(str(tmp_path / "a.tif"), str(tmp_path / "b.tif"), "zstd")
    with rasterio.open(tmp_path / "b.tif") as result:
        assert result.overviews(1)
    with rasterio.open(tmp_path / "b.tif", overview_level=0) as result:
        assert (result.read(1) == 4000).all()


def test_to_a_bucket_and_not_twice(archive, filled, settings, bucket, run_script):
    settings["upload_url"] = f"s3://{bucket}/a/b"
    ended = run_script(settings)
    assert ended.returncode == 0, ended.stderr
    assert files(settings["output_dir"]) == sorted(f"{name}.png" for name in NAMES)
    there = objects(archive, bucket)
    assert {record["output"]: record["output_bytes"] for record in records(settings)} == {
        f"s3://{bucket}/{key}": size for key, size in there.items()}
    assert sorted(there) == [f"a/b/{name}.tif" for name in NAMES]
    body = archive.client.get_object(Bucket=bucket, Key=f"a/b/{NAMES[1]}.tif")["Body"].read()
    copy = Path(settings["output_dir"]) / "copy.tif"
    copy.write_bytes(body)
    assert_first(copy, 27)

    archive.client.delete_object(Bucket=bucket, Key=f"a/b/{NAMES[2]}.tif")
    assert "2 done before, 1 to do" in run_script(settings).stdout
    assert objects(archive, bucket) == there


@pytest.fixture
def target(settings, bucket, monkeypatch):
    """The bucket as a place for results, in parts as small as S3 allows."""
    monkeypatch.setattr(upload, "_PART", 5 * 1024 * 1024)
    return upload.Target(jobfile.parse(dict(settings, upload_url=f"s3://{bucket}/a")))


@pytest.fixture
def large(tmp_path):
    """A file of three parts."""
    path = tmp_path / "large.tif"
    path.write_bytes(secrets.token_bytes(12 * 1024 * 1024))
    return path


def test_a_large_one_goes_in_parts(archive, bucket, target, large):
    assert target.put(str(large), "b.tif") == f"s3://{bucket}/a/b.tif"
    assert archive.client.get_object(Bucket=bucket, Key="a/b.tif")["Body"].read() == large.read_bytes()
    assert target.sizes() == {f"s3://{bucket}/a/b.tif": large.stat().st_size}


def test_a_part_that_arrives_damaged_leaves_nothing(archive, bucket, target, large, monkeypatch):
    original = upload._md5
    monkeypatch.setattr(upload, "_md5", lambda data: original(data if len(data) > 4 * 1024 * 1024 else data + b"x"))
    with pytest.raises(EojobError, match="BadDigest"):
        target.put(str(large), "b.tif")
    assert objects(archive, bucket) == {}
    assert not archive.client.list_multipart_uploads(Bucket=bucket).get("Uploads")


@pytest.mark.parametrize("changes, words", [
    ({"upload_url": "s3://there-is-none/x"}, "upload_url: s3://there-is-none/x/ cannot be written: bucket: there"),
    ({"upload_url": "s3://results", "upload_profile": "wrong"}, "upload_url: s3://results/ cannot be written: cred"),
    ({"upload_url": "s3://results", "upload_endpoint_url": "http://127.0.0.1:9"}, "cannot be written: endpoint_url"),
])
def test_a_bucket_that_cannot_be_written_is_told_first(filled, settings, run_script, changes, words):
    ended = run_script(dict(settings, retries=0, **changes))
    assert ended.returncode == 2 and words in ended.stderr
    assert not Path(settings["output_dir"]).exists()
