"""The object store: a boto3 client, one policy of retries, and errors turned into sentences that a user can act on."""

import random
import time
from typing import Any, Callable, Dict, Iterator, List, Tuple, TypeVar

import boto3
import botocore.exceptions as botocore_errors
import urllib3.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from .errors import EojobError
from .jobfile import Job

T = TypeVar("T")

_RETRIED_STATUS = (429, 500, 502, 503, 504)
_LONGEST_PAUSE = 20.0  # s
_BAD_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "InvalidToken", "ExpiredToken", "403",
             "Forbidden", "RequestTimeTooSkewed")
# Old botocore lets urllib3's errors through while a body is read.
_BROKEN_CONNECTION = (botocore_errors.ConnectionError, botocore_errors.HTTPClientError,
                      botocore_errors.IncompleteReadError, urllib3.exceptions.HTTPError, OSError)
_ERRORS = (*_BROKEN_CONNECTION, botocore_errors.BotoCoreError, botocore_errors.ClientError, ResponseParserError)


class StoreError(EojobError):
    """The store cannot be reached, or refuses. `kind`: endpoint, credentials, bucket, object or other."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Store:
    """One bucket of one endpoint. Safe to use from several threads."""

    def __init__(self, job: Job, connections: int) -> None:
        """`connections` is the number of requests that may run at the same time."""
        self.job = job
        try:
            session = boto3.session.Session(profile_name=job.profile or None)
            self._client: Any = session.client(
                "s3", endpoint_url=job.endpoint_url, region_name=job.region,
                config=Config(
                    s3={"addressing_style": "path"}, signature_version="s3v4", max_pool_connections=connections,
                    connect_timeout=job.connect_timeout, read_timeout=job.read_timeout,
                    # Retries are made here and not by botocore, whose modes leave out 429 and broken bodies.
                    retries={"max_attempts": 0, "mode": "legacy"}))
        except (botocore_errors.BotoCoreError, ValueError) as error:
            raise self.explain(error) from error

    def pages(self, prefix: str, delimiter: str = "") -> Iterator[Dict[str, Any]]:
        """The pages of ListObjectsV2 below `prefix`, `job.page_size` keys each. Raises StoreError."""
        options: Dict[str, Any] = {"Bucket": self.job.bucket, "Prefix": prefix, "MaxKeys": self.job.page_size}
        if delimiter:
            options["Delimiter"] = delimiter
        while True:
            # boto3's paginator would begin anew after a page that failed; this repeats that page.
            page = self.retrying(lambda: self._client.list_objects_v2(**options))
            if not {"Name", "KeyCount", "IsTruncated", "Contents", "CommonPrefixes"} & set(page):
                raise self._not_s3()  # a page of the web that happens to be XML
            yield page
            if not page.get("IsTruncated"):
                return
            options["ContinuationToken"] = page["NextContinuationToken"]

    def sizes(self, prefix: str) -> Dict[str, int]:
        """Bytes of every object below `prefix`, by key without the prefix; folders' zero-byte keys are left out."""
        return {entry["Key"][len(prefix):]: int(entry["Size"])
                for page in self.pages(prefix) for entry in page.get("Contents", ())
                if not (entry["Key"].endswith("/") and int(entry["Size"]) == 0)}

    def read(self, key: str, first: int, count: int) -> bytes:
        """`count` bytes of an object from byte `first` on; a shorter answer is retried, then an error."""
        def request() -> bytes:
            span = f"bytes={first}-{first + count - 1}"
            data: bytes = self._client.get_object(Bucket=self.job.bucket, Key=key, Range=span)["Body"].read()
            if len(data) != count:
                raise botocore_errors.IncompleteReadError(actual_bytes=len(data), expected_bytes=count)
            return data
        return self.retrying(request, key)

    def bucket_names(self) -> List[str]:
        """The buckets that these credentials see. Raises StoreError."""
        answer = self.retrying(self._client.list_buckets)
        return sorted(bucket["Name"] for bucket in answer.get("Buckets", ()))

    def retrying(self, request: Callable[[], T], key: str = "") -> T:
        """The result of `request`, repeated with growing pauses after 429, 5xx and broken connections."""
        for attempt in range(self.job.retries + 1):
            try:
                return request()
            except _ERRORS as error:
                retried, pause = _retry(error, attempt)
                if not retried or attempt == self.job.retries:
                    raise self.explain(error, key) from error
            time.sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _not_s3(self) -> StoreError:
        return StoreError("endpoint", f"endpoint_url: what answers at {self.job.endpoint_url} does not speak S3;"
                                      " correct the address")

    def explain(self, error: Exception, key: str = "") -> StoreError:
        """The sentence for an exception of boto3. Never holds keys."""
        job = self.job
        profile = f"profile '{job.profile}'" if job.profile else "the default profile"
        if isinstance(error, botocore_errors.ClientError):
            code = str(error.response.get("Error", {}).get("Code", ""))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if code == "NoSuchBucket":
                return StoreError("bucket", f"bucket: there is no '{job.bucket}' at {job.endpoint_url};"
                                            " correct the bucket's name")
            if code in _BAD_KEYS or status in (401, 403):
                return StoreError("credentials", f"credentials: {job.endpoint_url} refuses the keys of {profile} for"
                                                 f" bucket '{job.bucket}' ({code}); renew the keys, or ask for access")
            if code in ("NoSuchKey", "404"):
                return StoreError("object", f"object '{key}' is not in bucket '{job.bucket}' any more;"
                                            " start the job again to list anew")
            request = f" for {key}" if key else ""
            return StoreError("other", f"store: {job.endpoint_url} answered {status} {code}{request}; check that this"
                                       " is an S3 endpoint, or try again later")
        if isinstance(error, botocore_errors.ProfileNotFound):
            return StoreError("credentials", f"profile: there is no '{job.profile}' in ~/.aws/config or"
                                             " ~/.aws/credentials; add it, or name another")
        if isinstance(error, (botocore_errors.NoCredentialsError, botocore_errors.PartialCredentialsError)):
            return StoreError("credentials", f"credentials: {profile} has no access and secret key; put both into"
                                             " ~/.aws/credentials (any text will do where the store takes any key)")
        if isinstance(error, ResponseParserError):
            return self._not_s3()
        if isinstance(error, _BROKEN_CONNECTION):
            return StoreError("endpoint", f"endpoint_url: {job.endpoint_url} does not answer ({_cause(error)}); check"
                                          " the address, and that this machine is attached to the EO data network")
        return StoreError("other", f"store: {job.endpoint_url}: {error}")


def _cause(error: Exception) -> str:
    """The few words at the heart of a network error."""
    text = f"{error} {getattr(error, 'kwargs', {}).get('error', '')}"  # botocore keeps urllib3's error there
    for sign, words in (("Connection refused", "connection refused"), ("Name or service", "the name is not known"),
                        ("name resolution", "the name is not known"), ("No route", "no route to host"),
                        ("imed out", "timed out"), ("imeout", "timed out"), ("SSL", "TLS failed")):
        if sign in text:
            return words
    return type(error).__name__


def _retry(error: Exception, attempt: int) -> Tuple[bool, float]:
    """Whether a request that failed is worth repeating, and after how many seconds."""
    pause = min(_LONGEST_PAUSE, 0.5 * 2 ** attempt) * random.uniform(0.5, 1.0)
    if isinstance(error, botocore_errors.ClientError):
        answer = error.response.get("ResponseMetadata", {})
        after = str(answer.get("HTTPHeaders", {}).get("retry-after", ""))
        if after.isdigit():
            pause = max(pause, min(_LONGEST_PAUSE, float(after)))
        return answer.get("HTTPStatusCode") in _RETRIED_STATUS, pause
    # Old botocore takes a page that was cut off for XML that is wrong.
    return isinstance(error, (*_BROKEN_CONNECTION, ResponseParserError)), pause
