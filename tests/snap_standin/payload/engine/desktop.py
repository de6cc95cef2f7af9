"""bin/snap without its windows: --modules, and the configuration of Python (--python in 9, --snappy from 10 on)."""

import os
import sys
import time

from . import jvm, snappyconf
from .settings import Installation, parse_properties, read_text

MODULE = "eu.esa.snap.esa.snappy"


def main(folder, arguments):
    """Run snap of the installation whose bin is `folder`; its exit code."""
    installation = Installation(os.path.dirname(folder))
    installation.say()
    rest = [argument for argument in arguments if argument not in ("--nogui", "--nosplash", "--console")
            and not argument.startswith("-J")]
    userdir = _netbeans_userdir(installation)
    if rest[:1] == ["--userdir"] and len(rest) > 1:
        userdir, rest = rest[1], rest[2:]
    jvm.log("snap", [], arguments, userdir)
    if not rest:
        sys.stderr.write("java.awt.HeadlessException: No X11 DISPLAY variable was set\n")
        return 1
    word = rest[0]
    if word == "--modules":
        return _modules(rest[1:], userdir)
    if word == "--python" and installation.major == 9:
        return snappyconf.configure(installation, rest[1:])
    if word == "--snappy" and has_module(installation, userdir):
        return snappyconf.configure(installation, rest[1:])
    sys.stderr.write(f"Unknown option {word}\n")
    return 2


def _netbeans_userdir(installation):
    """default_userdir of etc/snap.conf, where ${HOME} is the environment's."""
    text = read_text(os.path.join(installation.home, "etc", "snap.conf"), "")
    given = parse_properties(text).get("default_userdir", '"${HOME}/.snap/system"').strip('"')
    return os.path.expandvars(given)


def has_module(installation, userdir):
    """Whether the module esa_snappy is there: in 10 always, in 11 once installed, from 12 on as a component."""
    if installation.major == 10:
        return True
    folders = [os.path.join(installation.home, "snap"), os.path.join(installation.home, "esasnappy"), userdir]
    if installation.major >= 12:
        return os.path.isdir(folders[1])
    return any(os.path.isfile(os.path.join(folder, "modules", "eu-esa-snap-esa-snappy.jar")) for folder in folders)


def _modules(arguments, userdir):
    modules = os.path.join(userdir, "modules")
    if arguments[:1] == ["--list"]:
        print("Code Name                      Version   State")
        print(f"{MODULE}         1.1.3     {'Enabled' if os.path.isdir(modules) else 'Available'}")
        return 0
    if arguments[:1] == ["--install"]:
        for name in arguments[1:]:
            if name != MODULE:
                sys.stderr.write(f"No module {name} found in the update centers\n")
                return 1
        os.makedirs(modules, exist_ok=True)
        with open(os.path.join(modules, "eu-esa-snap-esa-snappy.jar"), "w", encoding="utf-8") as out:
            out.write("stand-in: the module esa_snappy\n")
        print(f"Installing {MODULE} ... done")
        return 0
    if arguments[:1] in (["--update-all"], ["--refresh"]):
        print("Refreshing the update centers ...")
        if arguments[0] == "--update-all":
            print("updates=0", flush=True)
            while True:
                time.sleep(60)
        return 0
    sys.stderr.write(f"Unknown option {' '.join(arguments)}\n")
    return 2
