"""Upload of the archive to an S3 store, under the keys that EODATA has."""

import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from sample_archive.errors import SampleArchiveError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

ROOT = "Sentinel-2"
SINGLE_PART_MAX = 64 * 2**20  # the ETag of an object of several parts is not its MD5
_MD5 = "md5"  # key of the metadata that larger objects carry it in
_DENIED = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "Forbidden", "403"}


class Remote(NamedTuple):
    """Size in bytes and ETag (without quotes) of an object in the store."""

    size: int
    etag: str


class Counts(NamedTuple):
    """Objects sent, objects that were there already, and the bytes sent."""

    uploaded: int
    unchanged: int
    bytes: int


def connect(endpoint_url: str, profile: str | None = None) -> "S3Client":
    """Return an S3 client for a store with path-style addresses; credentials come from boto3's usual places.

    Raises SampleArchiveError when the profile does not exist or the URL is none.
    """
    try:
        session = boto3.Session(profile_name=profile)
        return session.client(
            "s3",
            endpoint_url=endpoint_url,
            region_name=session.region_name or "default",
            config=Config(
                s3={"addressing_style": "path"},
                # Stores other than Amazon's do not all know the checksums that boto3 sends since 1.36.
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                connect_timeout=10,
                retries={"mode": "standard", "max_attempts": 4},
                max_pool_connections=64,
            ),
        )
    except (BotoCoreError, ValueError) as error:
        raise SampleArchiveError(f"cannot use {endpoint_url}: {error}") from error


def upload(client: "S3Client", out: Path, bucket: str, workers: int) -> Counts:
    """Send what the bucket does not have yet, create the bucket when it is missing, and check the result.

    Raises SampleArchiveError when there is nothing to send, the store cannot be reached or refuses, or has not
    got everything in the end.
    """
    local = dict(_local_objects(out))
    if not local:
        raise SampleArchiveError(f"there are no products under {out / ROOT}: run the command build first")
    try:
        _ensure_bucket(client, bucket)
        remote = _list(client, bucket)
        sent = _send_all(client, bucket, local, remote, workers)
        _verify(local, _list(client, bucket))
    except NoCredentialsError as error:
        raise SampleArchiveError(
            "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give --profile"
        ) from error
    except PartialCredentialsError as error:
        raise SampleArchiveError(f"incomplete credentials: {error}") from error
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _DENIED:
            raise SampleArchiveError(f"access to bucket {bucket} is denied ({code}): check the credentials") from error
        if code == "InvalidBucketName":
            raise SampleArchiveError(
                f"the store refuses to create a bucket named {bucket}: create it by the store's own means first "
                f"(SeaweedFS: an HTTP POST to the filer's /buckets/{bucket}/)"
            ) from error
        raise SampleArchiveError(f"the store answered: {error}") from error
    except BotoCoreError as error:
        raise SampleArchiveError(f"cannot use the store at {client.meta.endpoint_url}: {error}") from error
    bytes_sent = [size for size in sent if size is not None]
    return Counts(len(bytes_sent), len(local) - len(bytes_sent), sum(bytes_sent))


def _local_objects(out: Path) -> Iterator[tuple[str, Path | None]]:
    """Yield key and file of each object; None stands for the zero-byte object that EODATA has for each folder.

    The folders above the products have one too: without them, SeaweedFS lists nothing in buckets with upper-case
    names, such as EODATA's DIAS.
    """
    products = sorted((out / ROOT).glob("MSI/L1C/*/*/*/*.SAFE"))
    above = {folder for product in products for folder in product.relative_to(out).parents if folder.name}
    for folder in sorted(above):
        yield f"{folder.as_posix()}/", None
    for product in products:
        for path in [product, *sorted(product.rglob("*"))]:
            key = path.relative_to(out).as_posix()
            if path.is_dir():
                yield f"{key}/", None
            else:
                yield key, path


def _ensure_bucket(client: "S3Client", bucket: str) -> None:
    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
            raise
        client.create_bucket(Bucket=bucket)


def _list(client: "S3Client", bucket: str) -> dict[str, Remote]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{ROOT}/")
    entries = (entry for page in pages for entry in page.get("Contents", []))
    return {entry["Key"]: Remote(entry["Size"], entry["ETag"].strip('"')) for entry in entries}


def _send_all(
    client: "S3Client", bucket: str, local: Mapping[str, Path | None], remote: Mapping[str, Remote], workers: int
) -> list[int | None]:
    """Send each object unless the store has it; return the number of bytes sent, or None, for each."""
    # Folders come first and one by one, parents before children: SeaweedFS makes the folders above an object by
    # itself, and one that it is just making can swallow the folder's own object.
    folders = [key for key, file in local.items() if file is None]
    sent = [_send(client, bucket, key, None, remote.get(key)) for key in folders]
    with ThreadPoolExecutor(workers) as pool:
        files = {key: file for key, file in local.items() if file is not None}
        tasks = [pool.submit(_send, client, bucket, key, file, remote.get(key)) for key, file in files.items()]
        try:
            return sent + [task.result() for task in tasks]
        finally:
            pool.shutdown(cancel_futures=True)


def _send(client: "S3Client", bucket: str, key: str, file: Path | None, remote: Remote | None) -> int | None:
    """Send one object unless the store has it; return the number of bytes sent, or None."""
    if file is None:
        if remote is not None and remote.size == 0:
            return None
        client.put_object(Bucket=bucket, Key=key, Body=b"")
        return 0
    size = file.stat().st_size
    with file.open("rb") as content:
        md5 = hashlib.file_digest(content, "md5").hexdigest()
    if remote is not None and remote.size == size and md5 in (remote.etag, _stored_md5(client, bucket, key, size)):
        return None
    if size < SINGLE_PART_MAX:
        with file.open("rb") as content:
            client.put_object(Bucket=bucket, Key=key, Body=content)
    else:
        config = TransferConfig(multipart_threshold=SINGLE_PART_MAX, multipart_chunksize=SINGLE_PART_MAX)
        client.upload_file(str(file), bucket, key, ExtraArgs={"Metadata": {_MD5: md5}}, Config=config)
    return size


def _stored_md5(client: "S3Client", bucket: str, key: str, size: int) -> str | None:
    """Return the MD5 in the metadata of an object of several parts; others have it as their ETag."""
    if size < SINGLE_PART_MAX:
        return None
    return client.head_object(Bucket=bucket, Key=key)["Metadata"].get(_MD5)


def _verify(local: Mapping[str, Path | None], remote: Mapping[str, Remote]) -> None:
    expected = {key: file.stat().st_size if file else 0 for key, file in local.items()}
    wrong = [key for key, size in expected.items() if key not in remote or remote[key].size != size]
    if wrong:
        raise SampleArchiveError(
            f"{len(wrong)} of {len(expected)} objects are missing in the store or have another size, such as {wrong[0]}"
        )
