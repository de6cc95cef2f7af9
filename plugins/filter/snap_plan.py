"""What is asked for of SNAP, against what its versions have: faults, the installer's components, shares of memory."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: snap_faults
short_description: what is wrong with snap_* before any node is looked at
description: Every fault is a sentence with variable, value and remedy. With no version there are none.
options:
  _input: {description: "The variables without their C(snap_).", type: dict, required: true}
  versions: {description: C(snap__versions) of the role., type: dict, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ {'version': '13', 'toolboxes': ['Sentinel-2']} | snap_faults(snap__versions) }}"
"""
RETURN = """
_value: {description: The faults., type: list, elements: str}
"""

Settings = dict[str, Any]
Release = dict[str, Any]

# The installer empties its folder; these are never a folder of SNAP's alone, nor is anything below the second kind.
SHARED = frozenset({"/", "/home", "/media", "/mnt", "/opt", "/opt/eocluster", "/root", "/srv", "/tmp", "/usr",
                    "/usr/lib", "/usr/local", "/usr/local/bin", "/usr/local/lib", "/usr/local/share", "/usr/share",
                    "/var", "/var/lib", "/var/opt", "/var/tmp"})
SYSTEM = ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr/bin",
          "/usr/sbin")
INSTALLER_MB = 1500  # room for the download, beside what it unpacks to
SYSTEM_SHARE = 0.1  # of a worker's memory is left to the system and to Slurm
HEAP_SHARE = 0.75  # of what remains for a process is Java's heap; the rest: Python, JPEG 2000, threads, the JVM itself
STEP_MB = 256


def snap_faults(settings: Settings, versions: dict[str, Release]) -> list[str]:
    """What is wrong with snap_* before any node is looked at."""
    version = str(settings.get("version") or "").strip()
    faults = [] if version in ("", *versions) else [
        f"snap_version is '{version}', which the kit does not know. Remedy: {', '.join(versions)}, or empty for none."]
    if not version:
        return _remove_faults(settings)
    if settings.get("state") == "absent":
        return faults + _remove_faults(settings)
    faults += _folder_faults(settings)
    faults += _toolbox_faults(version, settings, versions)
    faults += _source_faults(settings)
    if not re.fullmatch(r"|[1-9][0-9]*[MmGg]", str(settings.get("memory") or "")):
        faults.append(f"snap_memory is '{settings['memory']}', and must be a size in M or G. Remedy: for example 3G,"
                      " or empty.")
    return faults + [f"{name} is {value}, and must be at least {least}. Remedy: leave it out for the default."
                     for name, value, least in _numbers(settings) if value < least]


def _numbers(settings: Settings) -> Iterable[tuple[str, int, int]]:
    """Those of the numbers that are whole ones; the argument specification tells of others."""
    for name, least in (("install_timeout", 10), ("configure_timeout", 10), ("ranks_per_node", 0), ("tile_cache", 0),
                        ("parallelism", 1)):
        if re.fullmatch(r"-?[0-9]+", str(settings.get(name, ""))):
            yield f"snap_{name}", int(settings[name]), least


def _remove_faults(settings: Settings) -> list[str]:
    return _folder_faults(settings) if settings.get("state") == "absent" else []


def _folder_faults(settings: Settings) -> list[str]:
    """A folder that cannot be this role's alone."""
    given, user = str(settings.get("dir") or ""), str(settings.get("user") or "")
    if not given:
        return []
    say = f"snap_dir is '{given}', "
    remedy = " Remedy: a folder for SNAP alone, for example /opt/eocluster/snap, or leave it out for the default."
    if not re.fullmatch(r"[A-Za-z0-9._/~+-]+", given):
        return [say + "and SNAP's scripts take letters, digits and ._/+- only." + remedy]
    path = given
    if given.startswith("~"):
        owner, _, rest = given[1:].partition("/")
        if owner not in ("", user):
            return [f"{say}in the home of '{owner}', who is not snap_user ('{user}')." + remedy]
        path = f"/home/{user or 'user'}/{rest}"
    if not path.startswith("/"):
        return [say + "which is no absolute path." + remedy]
    if ".." in PurePosixPath(path).parts:
        return [say + "and must not contain '..'." + remedy]
    clean = str(PurePosixPath("/" + path.lstrip("/")))
    is_home = len(PurePosixPath(clean).parts) == 3 and clean.startswith("/home/")
    is_home = is_home or clean == settings.get("home")
    if clean in SHARED or is_home or any(clean == folder or clean.startswith(folder + "/") for folder in SYSTEM):
        return [say + "which is not SNAP's alone; its installer empties the folder that it installs into." + remedy]
    return []


def snap_toolboxes(wanted: Any) -> list[str]:
    """snap_toolboxes as a list; Ansible takes `A,B` for one too."""
    return [word.strip() for word in wanted.split(",") if word.strip()] if isinstance(wanted, str) else [
        str(word) for word in wanted or ()]


def _toolbox_faults(version: str, settings: Settings, versions: dict[str, Release]) -> list[str]:
    """Toolboxes that the version lacks; of a version that is none itself, those that no version has."""
    releases = [versions[version]] if version in versions else list(versions.values())
    known = list(dict.fromkeys(name for release in releases for name in release["toolboxes"]))
    unknown = [name for name in snap_toolboxes(settings.get("toolboxes")) if name not in known]
    if not unknown:
        return []
    who = f"SNAP {version} does not have" if version in versions else "no SNAP has"
    return [f"snap_toolboxes names {', '.join(unknown)}, which {who}. Remedy: of {', '.join(known)}."]


def _source_faults(settings: Settings) -> list[str]:
    """Files that are not there, and checksums that are none."""
    faults = []
    checksum = str(settings.get("installer_checksum") or "")
    if not re.fullmatch(r"|sha256:[0-9a-fA-F]{64}", checksum):
        faults.append(f"snap_installer_checksum is '{checksum}', and must be sha256: and 64 hexadecimal digits."
                      " Remedy: what sha256sum prints, after sha256:, or empty.")
    for name, ending, what in (("installer", ".sh", "installer"), ("jpy_wheel", ".whl", "wheel"),
                               ("esa_snappy", ".whl", "wheel")):
        given = str(settings.get(name) or "")
        is_address = bool(re.match(r"[a-z0-9+]+://", given))
        if not given or (name == "esa_snappy" and not is_address and not given.endswith(ending) and "/" not in given):
            continue  # the default, or a requirement for pip
        if is_address and not re.match(r"https?://[^/@ ]+/.+", given):
            shown = re.sub(r"//[^/]*@", "//...@", given)  # which may be a password
            faults.append(f"snap_{name} is '{shown}', and must begin with http:// or https:// and have no user in it."
                          f" Remedy: the address of the {what}, or its path on this machine.")
        elif not is_address and not Path(given).expanduser().is_file():
            faults.append(f"snap_{name} is '{given}', and there is no such file on this machine. Remedy: the path of"
                          f" the {what}, or its address.")
        elif not re.sub(r"[?#].*", "", given).endswith(ending):
            faults.append(f"snap_{name} is '{given}', which is no {what} ({ending}). Remedy:"
                          + (" SNAP's for Linux." if ending == ".sh" else " one for the job's Python."))
    return faults


def snap_node_faults(seen: dict[str, Any], settings: Settings, release: Release, installs: bool = True) -> list[str]:
    """What is wrong on a node, from what look.py saw there; `installs`: SNAP is to be installed from here."""
    faults = []
    if seen["machine"] not in ("x86_64", "amd64"):
        faults.append(f"its processor is {seen['machine']}, and ESA's installers are for x86_64. Remedy: other nodes.")
    faults += _python_faults(seen["python"], settings, release)
    if not installs:
        return faults
    there, folder = seen["install"], f"{settings['dir']}/{release['full']}"
    if there["exists"] and not there["empty"] and not seen["mark"]:
        if not there["is_snap"]:
            faults.append(f"{folder} holds files that are not SNAP's and not ours, and the installer would delete"
                          " them. Remedy: move them away, or another snap_dir.")
        elif there["version"] != release["full"]:
            faults.append(f"{folder} holds SNAP '{there['version']}', which we did not install. Remedy: move it away,"
                          " or another snap_dir.")
    needed = release["megabytes"] + INSTALLER_MB
    if (there["missing"] or there["version"] != release["full"]) and seen["free_megabytes"] < needed:
        faults.append(f"{seen['free_megabytes']} MB are free for {settings['dir']}, and SNAP {release['full']} takes"
                      f" about {needed} with its installer. Remedy: make room, or another snap_dir.")
    return faults


def _python_faults(python: dict[str, str], settings: Settings, release: Release) -> list[str]:
    """A Python that the bridge to Java is not made for."""
    mine, ours = python["version"], release["wheels"]
    if not mine:
        return [f"there is no Python at snap_python ({settings['python']}) that runs. Remedy: the role job_env makes"
                " one."]
    say = f"snap_python ({settings['python']}) is Python {mine}, "
    if release["module"] == "snappy" and [int(part) for part in mine.split(".")] >= [3, 12]:
        return [f"{say}and SNAP {release['full']}'s snappy needs distutils, which Python 3.12 has no more. Remedy:"
                " snap_version: 13, or an older Python."]
    if mine in ours or (release["bridge"] == "folder" and settings.get("jpy_wheel")):
        return []
    wheel = ", or snap_jpy_wheel with a wheel of jpy for it" if release["bridge"] == "folder" else ""
    return [f"{say}and SNAP {release['full']} brings its bridge for {', '.join(ours)}. Remedy: another"
            f" snap_version{wheel}."]


def snap_components(release: Release, toolboxes: Sequence[str]) -> dict[str, bool]:
    """Every component that the version's installer knows, and whether it is selected."""
    unknown = [name for name in toolboxes if name not in release["toolboxes"]]
    if unknown:
        raise AnsibleFilterError(f"SNAP {release['full']} has no {', '.join(unknown)}")
    wanted = {*release["always"], *(release["toolboxes"][name] for name in toolboxes)}
    return {component: component in wanted for component in release["components"]}


def snap_memory(workers: Sequence[dict[str, int]], heap: str = "", tile_cache: int = 0) -> dict[str, Any]:
    """The heap and tile cache of one process, for the worker that has the least memory for each.

    `workers` have `megabytes` and `ranks`; the answer has `heap` as Java writes it, `heap_mb`, and `tile_cache_mb`.
    """
    if heap:
        megabytes = int(heap[:-1]) * (1024 if heap[-1] in "Gg" else 1)
    else:
        share = min(worker["megabytes"] * (1 - SYSTEM_SHARE) / max(1, worker["ranks"]) for worker in workers)
        megabytes = max(STEP_MB, int(share * HEAP_SHARE) // STEP_MB * STEP_MB)
    written = f"{megabytes // 1024}G" if megabytes % 1024 == 0 else f"{megabytes}M"
    return {"heap": written, "heap_mb": megabytes, "tile_cache_mb": tile_cache or megabytes // 2}


class FilterModule:
    """The filters, by name."""

    def filters(self) -> dict[str, Any]:
        """See DOCUMENTATION."""
        return {"snap_faults": snap_faults, "snap_node_faults": snap_node_faults, "snap_components": snap_components,
                "snap_toolboxes": snap_toolboxes, "snap_memory": snap_memory}
