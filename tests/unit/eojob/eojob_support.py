"""Places and small helpers that the tests of eojob share; importing it makes the package importable."""

import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "files"
BUCKET = "eodata"

# capture_output and text, in the words that Python 3.6 knows
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "universal_newlines": True}

if str(FILES) not in sys.path:
    sys.path.insert(0, str(FILES))


def free_ports(count: int) -> list:
    """Ports of loopback that nobody listens on now."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def python(*arguments) -> subprocess.CompletedProcess:
    """Run a fresh Python on `arguments` beside image_processing.py."""
    return subprocess.run([sys.executable, *map(str, arguments)], **PIPES, timeout=120,
                          cwd=FILES)
