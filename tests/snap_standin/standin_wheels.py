"""Stand-in wheels: jpy (the bridge between Python and Java) and esa_snappy 1.1.3."""

import base64
import hashlib
import zipfile
from pathlib import Path

PAYLOAD = Path(__file__).resolve().parent / "payload"
_DATE = (2025, 1, 1, 0, 0, 0)  # the same wheel from the same sources, byte by byte


def jpy_wheel(folder: Path, python_tag: str, version: str) -> Path:
    """Write a jpy wheel named as SNAP wants it: jpy-1.0.0-cp311-cp311-linux_x86_64.whl (not manylinux).

    Args:
        python_tag: for example cp311; the only Python that will import it.
        version: jpy's; below 0.11 a bare Python int becomes java.lang.Integer, from then on the smallest type.
    """
    abi = python_tag + ("m" if python_tag in ("cp34", "cp35", "cp36", "cp37") else "")
    abi = "cp27mu" if python_tag == "cp27" else abi
    source = (PAYLOAD / "jpy" / "jpy.py").read_text()
    source = source.replace("@JPY_VERSION@", version).replace("@PYTHON_TAG@", python_tag)
    files = {"jpy.py": source, "jpyutil.py": (PAYLOAD / "jpy" / "jpyutil.py").read_text()}
    return _wheel(folder, "jpy", version, f"{python_tag}-{abi}-linux_x86_64", files, {})


def esa_snappy_wheel(folder: Path, python_tags: list[str], jpy_version: str, version: str = "1.1.3") -> Path:
    """Write esa_snappy, not configured yet: importing it fails until snappy-conf has unpacked jpy beside it.

    ESA's own are one file per Python (esa_snappy-1.1.3-cp311-none-any.whl), each with the jpy of that Python in lib/;
    this one serves all of `python_tags`.
    """
    files = {f"esa_snappy/{path.name}": path.read_text() for path in sorted((PAYLOAD / "python").glob("*.py"))}
    lib = folder / ".jpy"
    lib.mkdir(parents=True, exist_ok=True)
    wheels = [jpy_wheel(lib, tag, jpy_version) for tag in python_tags]
    binaries = {f"esa_snappy/lib/{wheel.name}": wheel.read_bytes() for wheel in wheels}
    for wheel in wheels:
        wheel.unlink()
    lib.rmdir()
    return _wheel(folder, "esa_snappy", version, "py3-none-any", files, binaries, "Requires-Python: >=3.9\n")


def _wheel(folder: Path, name: str, version: str, tag: str, files: dict[str, str], binaries: dict[str, bytes],
           more: str = "") -> Path:
    info = f"{name}-{version}.dist-info"
    content = {path: text.encode() for path, text in files.items()}
    content.update(binaries)
    content[f"{info}/METADATA"] = (f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
                                   "Summary: eocluster's stand-in for tests, not the real package\n").encode()
    content[f"{info}/WHEEL"] = ("Wheel-Version: 1.0\nGenerator: eocluster snap_standin\nRoot-Is-Purelib: true\n"
                                f"Tag: {tag}\n").encode()
    record = "".join(f"{path},sha256={_digest(body)},{len(body)}\n" for path, body in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = folder / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, body in content.items():
            archive.writestr(zipfile.ZipInfo(path, _DATE), body, zipfile.ZIP_DEFLATED)
    return wheel


def _digest(body: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body).digest()).rstrip(b"=").decode()
