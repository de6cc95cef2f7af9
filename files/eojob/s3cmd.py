"""Fetching an object with s3cmd, for stores or networks that it is known to work with.

Slower than ranged requests (one connection an object, and a Python of its own for each), and without their checks
while it runs; what it brings is verified all the same.
"""

import os
import shutil
import subprocess
import threading

from .errors import EojobError
from .jobfile import Job

_POLL = 0.1  # s
_NEEDED = "transfer: \"s3cmd\" needs "


def check() -> None:
    """Raise EojobError unless s3cmd is here and has been configured."""
    if shutil.which("s3cmd") is None:
        raise EojobError(_NEEDED + "the program s3cmd on every node; install it (site.yml does), or use boto3")
    if not os.path.isfile(os.path.expanduser("~/.s3cfg")):
        raise EojobError(_NEEDED + "~/.s3cfg with the store's address and keys; run s3cmd --configure (site.yml writes"
                         " it), or use boto3")


def get(job: Job, key: str, path: str, stop: threading.Event) -> None:
    """Fetch the object `key` to `path`; addresses and keys are those of ~/.s3cfg.

    Raises:
        EojobError: s3cmd failed, with its own last words.
    """
    if stop.is_set():
        return
    process = subprocess.Popen(
        ["s3cmd", "get", "--force", "--no-progress", "--quiet", f"--max-retries={job.retries}",
         f"s3://{job.bucket}/{key}", path],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, universal_newlines=True)
    try:
        while process.poll() is None and not stop.wait(_POLL):
            pass
    finally:
        if process.poll() is None:
            process.kill()
        _, words = process.communicate()
    if process.returncode and not stop.is_set():
        last = (words.strip().splitlines() or ["no message"])[-1]
        raise EojobError(f"s3cmd get {key} ended with exit code {process.returncode}: {last}; try it by hand, or use"
                         " transfer: boto3")
