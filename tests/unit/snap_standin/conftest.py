"""Stand-ins built and installed once per session, and ways to run them."""

import glob
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from eojob_products import make_safe, product_name

ROOT = Path(__file__).resolve().parents[3]
GOLDEN = ROOT.parent / "shared" / "golden"


def _load(name):
    path = ROOT / "tests" / "snap_standin" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"snap_{name}", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


class Standin:
    """The builder, and installations by version and behaviour, below one folder."""

    def __init__(self, folder):
        self.folder, self.builder, self.wheels = folder, _load("build"), _load("standin_wheels")
        self.versions = _load("standin_versions")
        self.home = folder / "home"
        self.home.mkdir()
        self._installed, self._configured = {}, {}

    def build(self, major, behaviour="ok", **options):
        """The installer's path."""
        out = self.folder / f"{major}-{behaviour}-{len(options)}"
        return self.builder.build(major, out, sys.executable, behaviour, seconds=0, **options)[0]

    def run(self, *command, cwd=None, timeout=60, **environment):
        """Run a command to its end, with a home of the tests' own."""
        environment = {**os.environ, "HOME": str(self.home), **{key: str(value) for key, value in environment.items()}}
        return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=timeout,
                              env=environment, cwd=cwd or self.folder, stdin=subprocess.DEVNULL)

    def installed(self, major, behaviour="ok", answers=()):
        """The folder of an installation; made once."""
        key = (major, behaviour, tuple(answers))
        if key not in self._installed:
            home = self.folder / "snap" / f"{major}-{behaviour}-{len(self._installed)}"
            varfile = self.folder / "answers.varfile"
            varfile.write_text("".join(f"{line}\n" for line in answers))
            done = self.run("sh", self.build(major, behaviour), "-q", "-varfile", varfile, "-dir", home, "-overwrite")
            assert done.returncode == 0, done.stderr
            self._installed[key] = home
        return self._installed[key]

    def prepare(self, major, folder, jpy="1.0.0"):
        """What must be there before snappy-conf works for this Python: module, wheels."""
        tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
        folder.mkdir(parents=True, exist_ok=True)
        if major >= 12:
            wheel = self.build(major).parent / "esa_snappy-1.1.3-py3-none-any.whl"
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(folder)
            return
        package = folder / self.versions.VERSIONS[major]["module"]
        package.mkdir()
        self.wheels.jpy_wheel(package, tag, jpy)
        if major == 11:
            self.run(self.installed(11) / "bin" / "snap", "--nogui", "--nosplash", "--modules", "--install",
                     "eu.esa.snap.esa.snappy")

    def configured(self, major, jpy="1.0.0", answers=()):
        """A folder for PYTHONPATH with the configured package; made once."""
        key = (major, jpy, tuple(answers))
        if key not in self._configured:
            folder = self.folder / "python" / f"{major}-{len(self._configured)}"
            self.prepare(major, folder, jpy)
            done = self.run(self.installed(major, answers=answers) / "bin" / "snappy-conf", sys.executable, folder)
            assert done.returncode == 0 and "Configuration failed!" not in done.stdout, done.stdout + done.stderr
            self._configured[key] = folder
        return self._configured[key]

    def python(self, folder, code, *arguments, **environment):
        """Run `code` in a Python that finds the package in `folder`."""
        return self.run(sys.executable, "-c", code, *arguments, PYTHONPATH=folder, **environment)

    @staticmethod
    def log(path):
        """The starts that STANDIN_SNAP_LOG recorded."""
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="session")
def standin(tmp_path_factory):
    return Standin(tmp_path_factory.mktemp("standin"))


@pytest.fixture(scope="session")
def safe(tmp_path_factory):
    """A product with bands of 10, 20 and 60 m; the others' files are missing, as they may be."""
    return make_safe(tmp_path_factory.mktemp("safe"), product_name(1), seed=1, bands=("B1", "B2", "B3", "B4", "B5"))


@pytest.fixture(scope="session")
def golden():
    """The folder of what SNAP's own engine wrote, and the product it read."""
    products = glob.glob(str(GOLDEN / "*.SAFE"))
    if not products:
        pytest.skip(f"{GOLDEN} is not there: nothing of SNAP's own to compare with")
    return GOLDEN, Path(products[0])
