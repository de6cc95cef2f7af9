"""The program of the stand-in installer: it keeps install4j's contract for unattended installations."""

import json
import os
import shutil
import stat
import sys
import time

FLAGS = ("-q", "-overwrite", "-g", "-c", "-console", "-manual", "-splash", "-alerts")
PYTHON_KEYS = ("forcePython$Boolean", "pythonExecutable", "executeLauncherWithPythonAction$Boolean")
KEYS = PYTHON_KEYS + (
    "sys.installationDir", "sys.languageId", "sys.adminRights$Boolean", "sys.programGroupDisabled$Boolean",
    "sys.symlinkDir", "deleteSnapDir", "extendPathEnvVar$Boolean")
# The real one would delete these as well; a test must not be able to.
NEVER = ("/", "/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/opt", "/proc", "/root", "/run", "/sbin", "/srv",
         "/sys", "/tmp", "/usr", "/usr/bin", "/usr/lib", "/usr/local", "/usr/share", "/var", "/work")
READERS = {"s2tbx": "org-esa-s2tbx-s2tbx-s2msi-reader.jar", "opttbx": "eu-esa-opt-opttbx-s2msi-reader.jar"}
ENGINE = "snap/modules/ext/standin"


class Fault(Exception):
    """What ends the installation with exit code 1."""


def parse_arguments(arguments):
    """The flags of install4j as a dict. Raises Fault."""
    options = {"unattended": False, "dir": None, "varfile": None}
    rest = list(arguments)
    while rest:
        flag = rest.pop(0)
        if flag in ("-dir", "-varfile"):
            if not rest:
                raise Fault(f"The argument {flag} needs a value.")
            options[flag[1:]] = rest.pop(0)
        elif flag in ("-h", "-help", "--help"):
            print("Usage: -q [-varfile FILE] [-dir DIR] [-overwrite]")
            sys.exit(0)
        elif flag == "-q":
            options["unattended"] = True
        elif flag not in FLAGS and not flag.startswith(("-V", "-D", "-J")):
            raise Fault(f"Unknown argument {flag}.")
    return options


def read_varfile(path, components):
    """The response file as a dict. Raises Fault for what this version does not know."""
    known = KEYS + tuple(f"sys.component.{name}$Boolean" for name in components)
    values = {}
    try:
        with open(path, encoding="utf-8") as lines:
            content = lines.read().splitlines()
    except OSError as error:
        raise Fault(f"The response file {path} cannot be read: {error.strerror}.") from error
    for number, line in enumerate(content, 1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        key, equals, value = line.partition("=")
        key, value = key.strip(), value.strip().replace("\\:", ":").replace("\\\\", "\\")
        if not equals:
            raise Fault(f"{path}, line {number}: '{line}' is not of the form key=value.")
        if key not in known:
            raise Fault(f"{path}, line {number}: the variable '{key}' is unknown to this installer.")
        if key.endswith("$Boolean") and value not in ("true", "false"):
            raise Fault(f"{path}, line {number}: '{key}' must be true or false, not '{value}'.")
        values[key] = value
    return values


def installation_dir(options, values):
    """Where to install; -dir beats sys.installationDir. Raises Fault."""
    path = options["dir"] or values.get("sys.installationDir")
    if not path:
        raise Fault("No installation directory is given. The real installer's default differs by version and user,"
                    " so its stand-in has none: give -dir or sys.installationDir.")
    if not os.path.isabs(path):
        raise Fault(f"The installation directory '{path}' is not absolute.")
    path = os.path.normpath(path)
    if path in NEVER or os.path.ismount(path):
        raise Fault(f"The real installer would now delete all of {path}; its stand-in does not.")
    return path


def max_heap():
    """70 % of this machine's RAM in whole GiB, at least one, as the installer's variable maxHeapSize."""
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{max(1, int(ram * 0.7 / 1024 ** 3))}G"


def lay_out(unpacked, home, standin, selected):
    """Copy everything into `home`; the clusters of the selected components alone."""
    behaviour = standin["behaviour"]
    shutil.copytree(os.path.join(unpacked, "root"), home)
    shutil.copytree(os.path.join(unpacked, "engine"), os.path.join(home, ENGINE, "standin_engine"))
    replace = {"${installer:maxHeapSize}": max_heap(), "@JRE@": standin["jre"]}
    for folder, _, names in os.walk(home):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, encoding="utf-8") as lines:
                text = lines.read()
            for mark, value in replace.items():
                text = text.replace(mark, value)
            with open(path, "w", encoding="utf-8") as out:
                out.write(text)
            if os.path.basename(folder) == "bin" and not name.endswith(".vmoptions"):
                os.chmod(path, 0o755)
    clusters = [cluster for name in selected for cluster in standin["components"][name]]
    for cluster in clusters:
        os.makedirs(os.path.join(home, cluster, "modules"), exist_ok=True)
        if cluster in READERS and behaviour != "partial":
            write(os.path.join(home, cluster, "modules", READERS[cluster]), "stand-in: the reader of Sentinel-2\n")
    if standin["major"] <= 11:
        module = os.path.join(home, ENGINE, standin["module"])
        shutil.copytree(os.path.join(unpacked, "python"), module)
        shutil.copytree(os.path.join(unpacked, "lib"), os.path.join(home, ENGINE, "lib"))
    jvm = "jre/lib/amd64/server" if standin["major"] == 9 else "jre/lib/server"
    os.makedirs(os.path.join(home, jvm))
    write(os.path.join(home, jvm, "libjvm.so"), "stand-in: not a library\n")
    write(os.path.join(home, "etc", "snap.clusters"), "".join(f"{name}\n" for name in clusters))
    write(os.path.join(home, "VERSION.txt"), standin["version"])
    if behaviour == "partial-gpt":
        os.remove(os.path.join(home, "bin", "gpt"))


def leave_marks(home, standin, selected, values):
    """.install4j: the answers, as install4j keeps them, and what the stand-in's own programs read."""
    os.makedirs(os.path.join(home, ".install4j"), exist_ok=True)
    answers = {f"sys.component.{name}$Boolean": str(name in selected).lower() for name in standin["components"]}
    answers.update({key: value for key, value in values.items() if key not in answers})
    answers["sys.installationDir"] = home
    text = "".join(f"{key}={value}\n" for key, value in sorted(answers.items()))
    write(os.path.join(home, ".install4j", "response.varfile"), "# install4j response file for ESA SNAP\n" + text)
    parameters = "".join(f'  <component id="{name}" selected="{str(name in selected).lower()}"/>\n'
                         for name in standin["components"])
    write(os.path.join(home, ".install4j", "i4jparams.conf"),
          f'<config version="{standin["version"]}" applicationName="ESA SNAP">\n{parameters}</config>\n')
    write(os.path.join(home, ".install4j", "standin.json"), json.dumps(standin, indent=1, sort_keys=True) + "\n")


def link_launchers(home, values):
    """Symbolic links to the launchers, where the answers ask for them."""
    folder = values.get("sys.symlinkDir")
    if not folder or values.get("sys.programGroupDisabled$Boolean") == "true" or not os.path.isdir(folder):
        return
    for name in ("gpt", "snap"):
        link = os.path.join(folder, name)
        if not os.path.lexists(link):
            os.symlink(os.path.join(home, "bin", name), link)


def write(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)


def wipe(path):
    """Delete an installation directory with all that is in it, as the real installer does."""
    def retry(function, name, _):
        os.chmod(name, stat.S_IRWXU)
        function(name)
    if os.path.islink(path) or os.path.isfile(path):
        os.remove(path)
    elif os.path.isdir(path):
        shutil.rmtree(path, onerror=retry)


def main():
    unpacked = sys.argv[1]
    with open(os.path.join(unpacked, "standin.json"), encoding="utf-8") as lines:
        standin = json.load(lines)
    options = parse_arguments(sys.argv[2:])
    if not options["unattended"] and not sys.stdin.isatty():
        raise Fault("There is neither a display nor a terminal for the questions: run it with -q.")
    if not options["unattended"]:
        raise Fault("The stand-in asks no questions: run it with -q.")
    values = read_varfile(options["varfile"], standin["components"]) if options["varfile"] else {}
    home = installation_dir(options, values)
    selected = [name for name in standin["components"]
                if name == "SNAP" or values.get(f"sys.component.{name}$Boolean", "true") == "true"]
    print(f"The installation directory has been set to {home}.", flush=True)
    wipe(home)
    print("Extracting files ...", flush=True)
    time.sleep(standin["seconds"] / 2)
    if standin["behaviour"] == "fail":
        raise Fault("java.io.IOException: No space left on device (the stand-in was told to fail)")
    while standin["behaviour"] == "hang":
        time.sleep(60)
    if standin["behaviour"] != "lie":
        lay_out(unpacked, home, standin, selected)
    leave_marks(home, standin, selected, values)
    for key in PYTHON_KEYS:
        if key in values:
            print(f"  ({key} does nothing under -q)")
    link_launchers(home, values)
    time.sleep(standin["seconds"] / 2)
    print("Finishing installation ...", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (Fault, OSError) as fault:
        print(fault, file=sys.stderr)
        print("The installation was not successful.", file=sys.stderr)
        sys.exit(1)
