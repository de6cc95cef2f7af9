"""What shapes the network, without sockets: when bytes are through a line, and when a request has been answered."""

from collections.abc import Callable

_CREDIT = 0.02  # s of line time that may be made up for: a sleep never ends exactly when it should


class Pace:
    """A line that carries `rate` bytes per second (0: any number), one chunk after the other."""

    def __init__(self, rate: float, clock: Callable[[], float]) -> None:
        """`clock` returns seconds that grow."""
        self._rate, self._clock = rate, clock
        self._free = clock()  # when the line is free again

    def through(self, count: int) -> float:
        """Send `count` bytes; the time on the clock at which the last of them is through, which may be past."""
        now = self._clock()
        if not self._rate:
            return now
        self._free = max(now - _CREDIT, self._free) + count / self._rate
        return self._free


class Exchange:
    """Where a persistent connection of HTTP/1.1 is: idle, or between a request and the end of its answer.

    Quotas count requests that are being served, not connections that clients keep open for the next one.
    """

    def __init__(self) -> None:
        self.busy = False
        self._head = b""                   # of the answer, until it is whole
        self._left: int | None = None      # bytes of the body to come; None while the head is not whole
        self._chunked = self._no_body = False
        self._tail = b""

    def sent(self, data: bytes) -> bool:
        """The client has sent `data`; whether they begin a request."""
        if self.busy:
            return False  # more of its head or body
        self.busy, self._head, self._left, self._tail = True, b"", None, b""
        self._no_body = data.startswith(b"HEAD ")
        return True

    def received(self, data: bytes) -> bool:
        """The server has sent `data`; whether they end the answer."""
        if not self.busy:
            return False
        if self._left is None:
            self._head += data
            data = self._parse_head()
            if self._left is None:
                return False
        if self._chunked:
            self._tail = (self._tail + data[-5:])[-5:]
            self.busy = self._tail != b"0\r\n\r\n"
        else:
            self._left -= len(data)
            self.busy = self._left > 0
        return not self.busy

    def _parse_head(self) -> bytes:
        """Read the answer's head when it is whole; what has come of the body."""
        while True:
            head, end, body = self._head.partition(b"\r\n\r\n")
            if not end:
                return b""
            status = int(head.split(b" ", 2)[1])
            if status >= 200:
                break
            self._head = body  # 100 Continue: the answer proper follows
        fields = {name.strip().lower(): value.strip().lower()
                  for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
        no_body = self._no_body or status in (204, 304)
        self._chunked = fields.get(b"transfer-encoding") == b"chunked" and not no_body
        self._left = 0 if no_body else int(fields.get(b"content-length", 0))
        return body
