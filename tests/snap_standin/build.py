#!/usr/bin/env python3
"""Build a stand-in for ESA's SNAP installer, for tests; README.md says what contract it keeps.

    build.py VERSION OUT_DIR [--python PATH] [--behaviour NAME] [--size MB] [--seconds S] [--strict-reader]
             [--jpy-wheel PYTHONTAG] [--jpy-version VERSION]
"""

import argparse
import io
import json
import random
import sys
import tarfile
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from standin_versions import BEHAVIOURS, VERSIONS, notice  # noqa: E402  (found through the line above)
from standin_wheels import esa_snappy_wheel, jpy_wheel  # noqa: E402

JOB_PYTHON = "/home/eouser/.local/share/eocluster/job-env/bin/python3"
PAYLOAD = HERE / "payload"


def build(major: int, folder: Path, python: str = JOB_PYTHON, behaviour: str = "ok", size: float = 0,
          seconds: float = 3, strict_reader: bool = False) -> list[Path]:
    """Write the installer of SNAP `major` into `folder`, and from 12 on the wheel of esa_snappy; their paths.

    Args:
        python: what stands in for the bundled JRE; a Python on the target machine that has rasterio and numpy.
        behaviour: one of BEHAVIOURS, baked in.
        size: MB that the installer is padded to with noise (0: as it is), so that a resumed download can be tested.
        seconds: how long the installation takes at least.
        strict_reader: 9 and 10 refuse products of Sentinel-2C and those without DATASTRIP, as their sources say.
    """
    facts = VERSIONS[major]
    folder.mkdir(parents=True, exist_ok=True)
    standin = {"major": major, **facts, "behaviour": behaviour, "jre": python, "notice": notice(facts["version"]),
               "strict_reader": strict_reader,
               "seconds": max(seconds, 60) if behaviour == "slow" else seconds}
    archive = _archive(standin)
    installer = folder / facts["file"]
    installer.write_bytes(_shell_archive(standin, archive, int(size * 1000 * 1000)))
    installer.chmod(0o755)
    written = [installer]
    if major >= 12:
        written.append(esa_snappy_wheel(folder, facts["pythons"], facts["jpy"]))
    return written


def _archive(standin: dict) -> bytes:
    """The payload as tar.gz: the installer's program, what it lays out, and for 9 to 11 the jpy wheels it carries."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar, tempfile.TemporaryDirectory() as scratch:
        for path in sorted(PAYLOAD.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                _add(tar, str(path.relative_to(PAYLOAD)), path.read_bytes(), path.parent.name == "bin")
        _add(tar, "standin.json", json.dumps(standin, indent=1, sort_keys=True).encode())
        if standin["major"] <= 11:
            for tag in standin["pythons"]:
                wheel = jpy_wheel(Path(scratch), tag, standin["jpy"])
                _add(tar, f"lib/{wheel.name}", wheel.read_bytes())
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, body: bytes, executable: bool = False) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(body), 0o755 if executable else 0o644
    tar.addfile(info, io.BytesIO(body))


def _shell_archive(standin: dict, archive: bytes, size: int) -> bytes:
    template = (HERE / "installer.sh.in").read_text()

    def header(offset: int, total: int) -> bytes:
        values = {"NOTICE": standin["notice"], "PYTHON": standin["jre"], "OFFSET": f"{offset:012d}",
                  "BYTES": f"{len(archive):012d}", "TOTAL": f"{total:012d}"}
        text = template
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text.encode()

    offset = len(header(0, 0))
    total = max(size, offset + len(archive))
    padding = random.Random(standin["version"]).randbytes(total - offset - len(archive))
    return header(offset, total) + archive + padding


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Build a stand-in for ESA's SNAP installer, for tests.",
        formatter_class=argparse.RawTextHelpFormatter,
        epilog="behaviours:\n" + "\n".join(f"  {name:12} {what}" for name, what in BEHAVIOURS.items()))
    parser.add_argument("version", type=int, choices=list(VERSIONS), help="major version of SNAP")
    parser.add_argument("out_dir", type=Path, help="folder to write into")
    parser.add_argument("--python", default=JOB_PYTHON,
                        help="Python with rasterio on the target\n(default: %(default)s)")
    parser.add_argument("--behaviour", default="ok", choices=list(BEHAVIOURS), help="what it does (default: ok)")
    parser.add_argument("--size", type=float, default=0, metavar="MB", help="pad the installer to this size")
    parser.add_argument("--seconds", type=float, default=3, help="how long an installation takes (default: 3)")
    parser.add_argument("--strict-reader", action="store_true",
                        help="9 and 10 refuse Sentinel-2C and products without DATASTRIP")
    parser.add_argument("--jpy-wheel", metavar="PYTHONTAG", help="also write a jpy wheel, for example for cp311")
    parser.add_argument("--jpy-version", help="version of that jpy (default: the one that SNAP carries)")
    arguments = parser.parse_args()
    written = build(arguments.version, arguments.out_dir, arguments.python, arguments.behaviour, arguments.size,
                    arguments.seconds, arguments.strict_reader)
    if arguments.jpy_wheel:
        version = arguments.jpy_version or VERSIONS[arguments.version]["jpy"]
        written.append(jpy_wheel(arguments.out_dir, arguments.jpy_wheel, version))
    for path in written:
        print(path)


if __name__ == "__main__":
    main()
