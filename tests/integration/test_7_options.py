"""What a job can be told beside its products: approximate pixels, a bucket for results, to queue again."""

import io
import json
import secrets

import numpy as np
import pytest
import rasterio
from labkit import (
    JOBS,
    MASTER,
    ROOT,
    band_file,
    job_states,
    latest_job,
    latest_report,
    playbook,
    products,
    remote,
    until,
)

pytestmark = pytest.mark.usefixtures("cluster")


def test_wavelet_is_the_overview_and_says_so(tmp_path):
    ended = playbook("run_job", job_method="wavelet", job_max_products=2).ok()
    assert "pixels of 2 product(s) are APPROXIMATE" in ended.words()
    product = products()[1]
    playbook("results", job_results=tmp_path).ok()
    with rasterio.open(tmp_path / "latest" / f"{product}.tif") as image, \
            rasterio.open(band_file(product, "B03"), overview_level=0) as band:
        assert np.array_equal(image.read(2), band.read(1))
        assert image.tags()["DOWNSAMPLING"] == "wavelet (approximate)"
    said = latest_report()["approximation"]
    assert said["products"] == 2 and 0 < said["first"][0] <= said["first"][1]


def test_results_go_to_a_bucket_of_the_users(store, tmp_path):
    bucket = f"results-{secrets.token_hex(4)}"
    store.client.create_bucket(Bucket=bucket)
    told = {"job_upload_url": f"s3://{bucket}/first", "job_format": "cog", "job_max_products": 2}
    playbook("run_job", **told).ok()
    there = [entry["Key"] for entry in store.client.list_objects_v2(Bucket=bucket)["Contents"] if entry["Size"]]
    assert there == [f"first/{name}.tif" for name in products()[:2]]
    body = store.client.get_object(Bucket=bucket, Key=there[0])["Body"].read()
    with rasterio.open(io.BytesIO(body)) as image, rasterio.open(band_file(products()[0], "B04")) as band:
        assert image.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert np.array_equal(image.read(3), band.read(1)[::2, ::2])
    brought = playbook("results", job_results=tmp_path).ok().words()
    assert f"those of the job are in s3://{bucket}/first, with quicklooks here" in brought
    assert sorted(path.suffix for path in (tmp_path / "latest").iterdir()) == [".json", ".png", ".png", ".txt"]
    assert "2 done before, 0 to do" in playbook("run_job", **told).ok().words()


@pytest.mark.thorough  # Slurm keeps a job that is queued again waiting for two minutes
def test_at_the_time_limit_it_queues_again_and_goes_on(tmp_path):
    script = tmp_path / "slowly.py"
    script.write_text((ROOT / "files/image_processing.py").read_text().replace(
        '    ProductIO.writeProduct', '    import time; time.sleep(8)\n    ProductIO.writeProduct'))
    playbook("run_job", job_script=script, job_ntasks=1, job_max_products=4, job_requeue=True, job_follow=False).ok()
    until(lambda: remote(MASTER, f"cat {JOBS}/latest/output/ledger/*/rank-*.jsonl").code == 0, "the first product")
    job = remote(MASTER, "squeue --noheader --format=%i").ok().output.strip()
    remote(MASTER, f"scancel --batch --signal=USR1 {job}").ok()  # what Slurm sends before the limit
    until(lambda: "queued again, to go on" in remote(MASTER, f"cat {JOBS}/latest/slurm-{job}.log").output, "its words")
    until(lambda: job_states()[job] == "COMPLETED", f"job {job} as COMPLETED", longest=400)
    playbook("job_status").ok()
    report = latest_report()
    assert (latest_job(), report["total"], report["failed"]) == (job, 4, 0)
    assert report["skipped"] >= 1 and report["done"] == 4 - report["skipped"]
    done = [json.loads(line)["product"] for line in remote(
        MASTER, f"grep -h '\"state\": \"done\"' {JOBS}/latest/output/ledger/*/rank-*.jsonl").ok().output.splitlines()]
    assert len(done) == len(set(done)) == 4, "a product was made twice"
