"""Lines and exchanges, on a clock of the test's own."""

import pytest
from job.shaping import Exchange, Pace

MB = 10 ** 6


class Clock:
    """A clock that the test sets."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_bytes_take_their_time_one_chunk_after_the_other(clock):
    line = Pace(10 * MB, clock)
    assert [line.through(MB) for _ in range(3)] == pytest.approx([100.1, 100.2, 100.3])


def test_a_line_without_a_rate_takes_no_time(clock):
    line = Pace(0, clock)
    assert [line.through(1000 * MB) for _ in range(2)] == [100.0, 100.0]


def test_a_sleep_that_ends_late_does_not_lower_the_rate(clock):
    line = Pace(10 * MB, clock)
    for _ in range(100):
        clock.now = line.through(MB) + 0.005
    assert clock.now == pytest.approx(110.005)


def test_time_that_a_line_was_idle_is_not_saved_up(clock):
    line = Pace(10 * MB, clock)
    clock.now = 200.0
    sent = [line.through(MB) for _ in range(10)]
    assert 200.97 < sent[-1] <= 201.0


def test_an_answer_ends_with_its_last_byte():
    exchange = Exchange()
    assert exchange.sent(b"GET / HTTP/1.1\r\n")
    assert not exchange.sent(b"\r\n"), "the rest of the head begins no request"
    answer = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\n\r\nhello"
    assert [exchange.received(answer[i:i + 1]) for i in range(len(answer))] == [False] * (len(answer) - 1) + [True]
    assert exchange.sent(b"GET /2 HTTP/1.1\r\n\r\n"), "the next request on the same connection"


@pytest.mark.parametrize("request_line, answer", [
    (b"HEAD /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 77\r\n\r\n"),
    (b"DELETE /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"),
    (b"PUT /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    (b"GET /a HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
])
def test_answers_of_every_form_end_where_they_end(request_line, answer):
    for cut in range(1, len(answer)):
        exchange = Exchange()
        exchange.sent(request_line)
        assert not exchange.received(answer[:cut]) and exchange.busy
        assert exchange.received(answer[cut:]) and not exchange.busy


def test_bytes_without_a_request_end_nothing():
    assert not Exchange().received(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
