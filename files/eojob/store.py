"""The object store: a boto3 client, one policy of retries, and errors turned into sentences that a user can act on."""

import email.utils
import random
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple, TypeVar

import boto3
import botocore.exceptions as botocore_errors
import urllib3.exceptions
from botocore.config import Config
from botocore.parsers import ResponseParserError

from . import short_reads
from .errors import EojobError
from .jobfile import Job
from .watchdog import Watchdog

T = TypeVar("T")

_RETRIED_STATUS = (429, 500, 502, 503, 504)
_LONGEST_PAUSE = 20.0    # s, before a repeat that the store has set no time for
_FIRST_PAUSE = 1.0       # s, when the store is overloaded and its Retry-After is not known yet
_LONGEST_ASKED = 300.0   # s, that a store may ask for with Retry-After
_BLOCK = 256 * 1024      # bytes taken from a connection at a time
_PROGRESS = 1024 * 1024  # bytes of an answer after which its repeats are counted anew
_SLOWEST = 64 * 1024     # bytes/s; an answer that takes longer, and the read time-out, is cut and asked for again
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


class StoppedError(EojobError):
    """A read was ended by its `stop`."""


class Answer(NamedTuple):
    """How a part of an object was had."""

    requests: int
    etag: str  # of the object; "" when the store gives none


def same_object(key: str, before: Optional[str], etag: str) -> str:
    """`etag`, when it is the one `before` (None: there was none yet); otherwise a StoreError."""
    if before is not None and etag != before:
        raise StoreError("object", f"object '{key}' was replaced while it was read; start the job again to list anew")
    return etag


class Store:
    """One bucket of one endpoint. Safe to use from several threads."""

    def __init__(self, job: Job, connections: int) -> None:
        """`connections` is the number of requests that may run at the same time."""
        self.job = job
        self._watchdog = Watchdog()
        self._not_before = 0.0  # time.monotonic() until which the store has asked all to wait
        try:
            session = boto3.session.Session(profile_name=job.profile or None)
            self.client: Any = session.client(
                "s3", endpoint_url=job.endpoint_url, region_name=job.region,
                config=Config(
                    s3={"addressing_style": "path"}, signature_version="s3v4", max_pool_connections=connections,
                    connect_timeout=job.connect_timeout, read_timeout=job.read_timeout,
                    # Retries are made here and not by botocore, whose modes leave out 429 and broken bodies.
                    retries={"max_attempts": 0, "mode": "legacy"}))
            self._short_reads = short_reads.opened(job, session.get_credentials(), _SLOWEST)
        except (botocore_errors.BotoCoreError, ValueError) as error:
            raise self.explain(error) from error

    def pages(self, prefix: str, delimiter: str = "", start_after: str = "") -> Iterator[Dict[str, Any]]:
        """The pages of ListObjectsV2 below `prefix`, `job.page_size` keys each. Raises StoreError."""
        options: Dict[str, Any] = {"Bucket": self.job.bucket, "Prefix": prefix, "MaxKeys": self.job.page_size}
        if delimiter:
            options["Delimiter"] = delimiter
        if start_after:
            options["StartAfter"] = start_after
        while True:
            # boto3's paginator would begin anew after a page that failed; this repeats that page.
            page = self.retrying(lambda: self.client.list_objects_v2(**options))
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

    def read(self, key: str, first: int, count: int, stop: Optional[threading.Event] = None) -> Tuple[bytes, Answer]:
        """`count` bytes of an object from byte `first` on; see `stream`."""
        blocks: List[bytes] = []
        answer = self.stream(key, first, count, lambda block: blocks.append(block), stop)
        return b"".join(blocks), answer

    def read_short(self, key: str, first: int, count: int, stop: Optional[threading.Event] = None
                   ) -> Tuple[bytes, Answer]:
        """`read`, with less CPU time for a short range where that is possible; see `short_reads`."""
        short = self._short_reads
        if short is None or not short.works or count > short_reads.LONGEST:
            return self.read(key, first, count, stop)
        self._wait(self._not_before - time.monotonic(), stop)
        try:
            found = short.get(key, first, count)
        except short_reads.OverloadedError:
            found = None
            self._leave_alone(min(_LONGEST_PAUSE, _FIRST_PAUSE))
        if found is not None:
            return found[0], Answer(1, found[1])
        data, answer = self.read(key, first, count, stop)
        return data, answer._replace(requests=answer.requests + 1)

    def stream(self, key: str, first: int, count: int, take: Callable[[bytes], Any],
               stop: Optional[threading.Event] = None) -> Answer:
        """Hand `count` bytes of an object from byte `first` on to `take`, block by block.

        After a broken connection the rest alone is asked for again. `stop`: when set, ends pauses and reading.

        Raises:
            StoreError: it cannot be had, or another object has taken its place meanwhile.
            StoppedError: `stop` was set.
        """
        got = requests = 0
        etag = None

        def request() -> None:
            nonlocal got, requests, etag
            requests += 1
            span = f"bytes={first + got}-{first + count - 1}"
            answer = self.client.get_object(Bucket=self.job.bucket, Key=key, Range=span)
            etag = same_object(key, etag, str(answer.get("ETag", "")).strip('"'))
            body = answer["Body"]
            with self._watchdog.limit(body, self.job.read_timeout + (count - got) / _SLOWEST):
                while got < count:
                    block = body.read(min(_BLOCK, count - got))
                    if not block:
                        raise botocore_errors.IncompleteReadError(actual_bytes=got, expected_bytes=count)
                    if stop is not None and stop.is_set():
                        body.close()
                        raise StoppedError(f"reading {key} was stopped")
                    take(block)
                    got += len(block)
        self.retrying(request, key, stop, lambda: got // _PROGRESS)
        return Answer(requests, etag or "")

    def bucket_names(self) -> List[str]:
        """The buckets that these credentials see. Raises StoreError."""
        answer = self.retrying(self.client.list_buckets)
        return sorted(bucket["Name"] for bucket in answer.get("Buckets", ()))

    def retrying(self, request: Callable[[], T], key: str = "", stop: Optional[threading.Event] = None,
                 progress: Callable[[], int] = lambda: 0) -> T:
        """The result of `request`, repeated with growing pauses after 429, 5xx and broken connections.

        Repeats are counted anew whenever `progress` has grown. A store that asks for a pause is left alone by all
        threads until then.
        """
        attempt, reached = 0, 0
        while True:
            self._wait(self._not_before - time.monotonic(), stop)
            try:
                return request()
            except _ERRORS as error:
                if progress() > reached:
                    attempt, reached = 0, progress()
                if attempt == self.job.retries or not _is_retried(error):
                    raise self.explain(error, key) from error
                asked = _asked_pause(error)
            if asked is not None:
                self._leave_alone(asked)
            self._wait(min(_LONGEST_PAUSE, 0.5 * 2 ** attempt) * random.uniform(0.5, 1.0), stop)
            attempt += 1

    def _leave_alone(self, seconds: float) -> None:
        """Let all threads make no request for so long."""
        self._not_before = max(self._not_before, time.monotonic() + seconds)

    @staticmethod
    def _wait(seconds: float, stop: Optional[threading.Event]) -> None:
        if seconds > 0:
            (stop or threading.Event()).wait(seconds)
        if stop is not None and stop.is_set():
            raise StoppedError("the transfer was stopped")

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


def _is_retried(error: Exception) -> bool:
    """Whether a request that failed is worth repeating."""
    if isinstance(error, botocore_errors.ClientError):
        return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in _RETRIED_STATUS
    # Old botocore takes a page that was cut off for XML that is wrong.
    return isinstance(error, (*_BROKEN_CONNECTION, ResponseParserError))


def _asked_pause(error: Exception) -> Optional[float]:
    """Seconds that the store asks to wait with Retry-After (a number or a date), None when it does not."""
    headers = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPHeaders", {})
    after = str(headers.get("retry-after", "")).strip()
    if after.isdigit():
        return min(_LONGEST_ASKED, float(after))
    try:
        return min(_LONGEST_ASKED, max(0.0, email.utils.parsedate_to_datetime(after).timestamp() - time.time()))
    except (TypeError, ValueError):
        return None
