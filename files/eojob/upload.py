"""Results that go straight to a bucket of the user's: each whole or not there, every part verified by the store."""

import base64
import contextlib
import hashlib
import os
from typing import Any, Dict, List

from .errors import EojobError
from .jobfile import Job
from .store import Store, StoreError

_PART = 16 * 1024 * 1024  # bytes; S3 allows 10,000 parts, which is 160 GB
_PROBE = ".eojob-can-write"


class Target:
    """The folder of a bucket that `job.upload_url` names. Safe to use from several threads."""

    def __init__(self, job: Job) -> None:
        self.url = job.upload_url
        bucket, _, self._folder = self.url[len("s3://"):].partition("/")
        self._bucket = bucket
        self._store = Store(job._replace(
            bucket=bucket, endpoint_url=job.upload_endpoint_url or job.endpoint_url,
            profile=job.upload_profile or job.profile, region=job.upload_region or job.region), connections=2)
        self._client = self._store.client

    def check(self) -> None:
        """Raise EojobError unless an object can be written below the URL."""
        try:
            next(self._store.pages(self._folder))  # some stores make a bucket that is written to
            self._put(_PROBE, b"")
            self._ask(_PROBE, self._client.delete_object)
        except StoreError as error:
            raise EojobError(f"upload_url: {self.url} cannot be written: {error}") from error

    def put(self, path: str, name: str) -> str:
        """Send a file to `name` below the URL; its own URL. An object of that name appears when all is there.

        Raises:
            StoreError: it cannot be sent, or the store holds another number of bytes.
        """
        size = os.path.getsize(path)
        with open(path, "rb") as stream:
            if size <= _PART:
                self._put(name, stream.read())
            else:
                self._put_parts(name, stream)
        found = int(self._ask(name, self._client.head_object)["ContentLength"])
        if found != size:
            raise StoreError("object", f"upload_url: {self.url}{name} holds {found} bytes of {size}; start the job"
                                       " again")
        return self.url + name

    def sizes(self) -> Dict[str, int]:
        """Bytes of what is below the URL, by URL. Raises StoreError."""
        return {self.url + name: size for name, size in self._store.sizes(self._folder).items()}

    def _ask(self, name: str, call: Any, **parameters: Any) -> Any:
        key = self._folder + name
        return self._store.retrying(lambda: call(Bucket=self._bucket, Key=key, **parameters), key)

    def _put(self, name: str, data: bytes) -> None:
        self._ask(name, self._client.put_object, Body=data, ContentMD5=_md5(data))

    def _put_parts(self, name: str, stream: Any) -> None:
        upload = self._ask(name, self._client.create_multipart_upload)["UploadId"]
        try:
            parts: List[Dict[str, Any]] = []
            for number, data in enumerate(iter(lambda: stream.read(_PART), b""), 1):
                answer = self._ask(name, self._client.upload_part, UploadId=upload, PartNumber=number, Body=data,
                                   ContentMD5=_md5(data))
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            self._ask(name, self._client.complete_multipart_upload, UploadId=upload, MultipartUpload={"Parts": parts})
        except BaseException:
            with contextlib.suppress(EojobError):  # what has failed says more
                self._ask(name, self._client.abort_multipart_upload, UploadId=upload)
            raise


def _md5(data: bytes) -> str:
    """The check sum as S3's Content-MD5 has it; the store refuses a part that differs."""
    return base64.b64encode(hashlib.md5(data).digest()).decode()
