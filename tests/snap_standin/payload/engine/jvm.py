"""Starting: options of the JVM, the user directory, and a stale lock in it."""

import json
import os
import re
import sys
import time

from .settings import Installation

_UNITS = {"": 1, "K": 1024, "M": 1024 ** 2, "G": 1024 ** 3, "T": 1024 ** 4}
_OPTION = re.compile(r"-(X|D|XX:|-add-|ea$|esa$|server$|client$|verbose|javaagent|agentlib)")


class Jvm:
    """A started JVM: its installation, its options and what they say."""

    def __init__(self, home, options, what, arguments=()):
        """Raises ValueError as the JVM's own messages for options that it would refuse."""
        self.options = [str(option) for option in options]
        self.system, self.heap = parse_options(self.options)
        self.installation = Installation(home)
        self.userdir = self.installation.userdir(self.system)
        self.installation.say()
        log(what, self.options, arguments, self.userdir)
        if "snap.userdir" in self.properties():
            # The real one makes ~/.snap as well; a test must not leave one in its user's home.
            os.makedirs(os.path.join(self.userdir, "auxdata"), exist_ok=True)
        self._wait_for_lock()

    def properties(self):
        return self.installation.properties(self.system, self.userdir)

    def _wait_for_lock(self):
        """SNAP-4211: from 11 on a stale lock of GDAL's installation is waited for without an end."""
        lock = os.path.join(self.userdir, "auxdata", "gdal.lock")
        while self.installation.major >= 11 and os.path.exists(lock):
            time.sleep(0.2)


def parse_options(options):
    """System properties and the heap in bytes (None: not given). Raises ValueError."""
    system, heap = {}, None
    for option in options:
        if not _OPTION.match(option):
            raise ValueError(f"Unrecognized option: {option}")
        if option.startswith("-D"):
            name, _, value = option[2:].partition("=")
            system[name] = value
        elif option.startswith("-Xmx"):
            match = re.match(r"-Xmx(\d+)([kKmMgGtT]?)$", option)
            if not match or int(match.group(1)) == 0:
                raise ValueError(f"Invalid maximum heap size: {option}")
            heap = int(match.group(1)) * _UNITS[match.group(2).upper()]
    return system, heap


def log(what, options, arguments, userdir):
    """Append to the file named by STANDIN_SNAP_LOG, one line of JSON per start, for tests."""
    path = os.environ.get("STANDIN_SNAP_LOG")
    if path:
        entry = {"what": what, "options": options, "arguments": list(arguments), "userdir": userdir,
                 "cwd": os.getcwd(), "pid": os.getpid(), "python": sys.executable}
        with open(path, "a", encoding="utf-8") as out:
            out.write(json.dumps(entry) + "\n")
