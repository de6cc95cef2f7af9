"""Ends answers that never end: a read time-out begins anew with every byte, so a server that trickles holds a rank."""

import contextlib
import socket
import threading
import time
from typing import Any, Dict, Iterator, Tuple

_POLL = 0.25  # s


class Watchdog:
    """Cuts the connections of answers that take too long. One thread for all of a store's answers."""

    def __init__(self) -> None:
        self._watched: Dict[int, Tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._started = False

    @contextlib.contextmanager
    def limit(self, body: Any, seconds: float) -> Iterator[None]:
        """While inside, the answer `body` (botocore's StreamingBody) is cut when it takes more than `seconds`."""
        with self._lock:
            self._watched[id(body)] = time.monotonic() + seconds, body
            if not self._started:
                self._started = True
                threading.Thread(target=self._watch, name="watchdog", daemon=True).start()
        try:
            yield
        finally:
            with self._lock:
                del self._watched[id(body)]

    def _watch(self) -> None:
        while True:
            time.sleep(_POLL)
            now = time.monotonic()
            with self._lock:
                for deadline, body in self._watched.values():
                    if now > deadline:
                        _cut(body)


def _cut(body: Any) -> None:
    # The response's own socket: its connection has let go of it when the answer is to be the last on it.
    response = getattr(getattr(body, "_raw_stream", None), "_fp", None)
    sock = getattr(getattr(getattr(response, "fp", None), "raw", None), "_sock", None)
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)  # wakes the reader, which sees an answer that was cut off
