"""Short reads of objects by obstore, which takes far less CPU time for each than boto3 (`python -m transfer`).

A job of the method "wavelet" asks for hundreds of short ranges of each product. Whatever obstore does not give is asked
of boto3 again, which has the retries, the pauses and the words for it.
"""

import datetime
import re
from typing import Any, Optional, Tuple

from .jobfile import Job

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
    AVAILABLE = True
except ImportError:  # it needs Python 3.9
    AVAILABLE = False

LONGEST = 1024 * 1024  # bytes; of a longer answer that breaks off, boto3 asks for the rest alone
_KEYS_HELD = datetime.timedelta(minutes=10)
_PATIENCE = 3          # failures in a row
_OVERLOADED = re.compile("429 Too Many Requests|503 Service Unavailable")  # obstore shows no header of such an answer


class OverloadedError(Exception):
    """The store wants to be left alone; for how long it says in a header that obstore does not show."""


class ShortReads:
    """Ranges of one bucket's objects. Safe to use from several threads."""

    def __init__(self, job: Job, credentials: Any, slowest: float) -> None:
        """
        Args:
            credentials: botocore's; they may be renewed meanwhile.
            slowest: bytes/s; an answer that takes longer, and the read time-out, has failed.
        """
        self._credentials = credentials
        self._failures = 0
        longest = job.read_timeout + LONGEST / slowest
        self._store: Any = S3Store(
            job.bucket, endpoint=job.endpoint_url.rstrip("/"), region=job.region, virtual_hosted_style_request=False,
            credential_provider=self._keys, retry_config={"max_retries": 0},
            client_options={"allow_http": job.endpoint_url.startswith("http:"),
                            "connect_timeout": datetime.timedelta(seconds=job.connect_timeout),
                            "timeout": datetime.timedelta(seconds=longest)})

    def _keys(self) -> Any:  # obstore's S3Credential
        keys = self._credentials.get_frozen_credentials()
        return {"access_key_id": keys.access_key, "secret_access_key": keys.secret_key, "token": keys.token,
                "expires_at": datetime.datetime.now(datetime.timezone.utc) + _KEYS_HELD}

    @property
    def works(self) -> bool:
        """Whether it is worth asking: where TLS or a proxy needs what only boto3 is told, every request fails."""
        return self._failures < _PATIENCE

    def get(self, key: str, first: int, count: int) -> Optional[Tuple[bytes, str]]:
        """`count` bytes of an object from byte `first` on, and its ETag; None when they cannot be had so.

        Raises OverloadedError.
        """
        try:
            answer = obstore.get(self._store, key, options={"range": (first, first + count)})
            data = bytes(answer.bytes())
            etag = str(answer.meta["e_tag"] or "").strip('"')
        except (BaseError, OSError) as error:  # what is not there is a FileNotFoundError
            self._failures += 1
            if _OVERLOADED.search(str(error)):
                raise OverloadedError from error
            return None
        self._failures = 0
        return (data, etag) if len(data) == count else None


def opened(job: Job, credentials: Any, slowest: float) -> Optional[ShortReads]:
    """What reads short ranges; None where the job has none, or obstore or the keys are not there."""
    if job.method != "wavelet" or not AVAILABLE or credentials is None:
        return None
    try:
        return ShortReads(job, credentials, slowest)
    except BaseError:  # another version of it, or an address that boto3 will find words for
        return None
