"""What an installation is and how it is set up: version, components, properties, memory."""

import json
import os
import pwd
import sys

READERS = ("s2tbx/modules/org-esa-s2tbx-s2tbx-s2msi-reader.jar", "opttbx/modules/eu-esa-opt-opttbx-s2msi-reader.jar")


class Installation:
    """A folder that the stand-in's installer has laid out."""

    def __init__(self, home):
        self.home = os.path.realpath(home)
        with open(os.path.join(self.home, ".install4j", "standin.json"), encoding="utf-8") as lines:
            self.facts = json.load(lines)
        self.major = self.facts["major"]
        self.behaviour = self.facts["behaviour"]

    def say(self):
        """The one line on stderr that every run prints."""
        sys.stderr.write(self.facts["notice"] + "\n")
        sys.stderr.flush()

    def release(self):
        """As SystemUtils.getReleaseVersion: what VERSION.txt says."""
        missing = "[no version info, missing ${SNAP_HOME}/VERSION.txt.txt]"
        return read_text(os.path.join(self.home, "VERSION.txt"), missing).splitlines()[0]

    def reads_sentinel2(self):
        return any(os.path.isfile(os.path.join(self.home, path)) for path in READERS)

    def properties(self, system, userdir=None):
        """etc/snap.properties, then the user's own, then system properties: the last wins."""
        values = {}
        for path in (os.path.join(self.home, "etc", "snap.properties"),
                     os.path.join(userdir or "/nonexistent", "etc", "snap.properties")):
            values.update(parse_properties(read_text(path, "")))
        values.update(system)
        return values

    def userdir(self, system):
        """As Config.userDir: -Dsnap.userdir, snap.properties, or .snap in the home folder that passwd gives."""
        given = self.properties(system).get("snap.userdir")
        return os.path.expandvars(given) if given else os.path.join(user_home(), ".snap")


def read_text(path, default):
    try:
        with open(path, encoding="utf-8") as lines:
            return lines.read()
    except OSError:
        return default


def parse_properties(text):
    """Java properties, without continuation lines."""
    values = {}
    for line in text.splitlines():
        line = line.strip()
        if line and not line.startswith(("#", "!")):
            key, _, value = line.partition("=")
            values[key.strip()] = value.strip()
    return values


def user_home():
    """Java's user.home: from passwd, not from $HOME."""
    return pwd.getpwuid(os.getuid()).pw_dir


def ram():
    """Bytes of RAM of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
