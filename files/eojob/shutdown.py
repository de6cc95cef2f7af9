"""Slurm's time limit: SIGTERM ends a rank at once, and what it would leave behind is removed first."""

import contextlib
import os
import signal
import threading
from typing import Callable, Iterator, List


@contextlib.contextmanager
def on_sigterm(clean_up: List[Callable[[], None]]) -> Iterator[None]:
    """While inside, SIGTERM runs every function of `clean_up` and ends the process with code 143.

    Python runs signal handlers between byte codes only, and a rank spends seconds inside GDAL while mpirun follows
    its SIGTERM by SIGKILL after one. So the signal wakes a thread, which GDAL does not hold up.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def watch() -> None:
        for number in iter(lambda: os.read(reader, 1), b""):
            if number[0] == signal.SIGTERM:
                for function in clean_up:
                    with contextlib.suppress(Exception):  # each of the others still has to run
                        function()
                os._exit(128 + signal.SIGTERM)
        os.close(reader)

    previous_handler = signal.signal(signal.SIGTERM, lambda *_: None)
    previous_descriptor = signal.set_wakeup_fd(writer)
    threading.Thread(target=watch, name="sigterm", daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous_descriptor)
        signal.signal(signal.SIGTERM, previous_handler)
        os.close(writer)  # the thread reads the end of the pipe and returns
