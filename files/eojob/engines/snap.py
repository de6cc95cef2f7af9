"""The engine `snap`: ESA's own operators, through esa_snappy (SNAP 10 and later) or snappy (SNAP 9 and before).

Importing the module starts a Java virtual machine in this process, once and for all, so it is imported by `start`, when
the rank has its folders. Until then its files are only looked at.
"""

import configparser
import contextlib
import importlib
import importlib.util
import numbers
import os
import sys
import time
from typing import Any, Dict, List, Optional

from .. import jvm, safe
from ..errors import EojobError, ProductError
from . import SNAP_READS, Engine, Source

MODULES = ("esa_snappy", "snappy")
_LARGEST_INTEGER = 2 ** 31 - 1
_REMEDY = "set snap_version in group_vars/all.yml and run site.yml, or use JOB_ENGINE=gdal"


class SnapEngine(Engine):
    """All operators of SNAP, all of its formats; what SNAP computes is what there is."""

    keeps_order = False  # SNAP's ProductSubsetBuilder goes by the product
    also_needed = SNAP_READS

    def __init__(self, job: Any) -> None:
        super().__init__(job)
        self._snap: Any = None      # the module, once it is started
        self._open: List[Any] = []  # products to dispose of

    def check(self) -> None:
        module = installed_module()
        if module is None:
            raise EojobError(f"engine: 'snap' needs the module esa_snappy or snappy, and {sys.executable} has neither;"
                             f" {_REMEDY}")
        settings = read_ini(module)
        home = self.job.snap_home or settings.get("snap_home", "") or os.environ.get("SNAP_HOME", "")
        if not settings:
            raise EojobError(f"engine: 'snap' finds {module} not configured (no {module}.ini in {_folder(module)}); run"
                             " site.yml, whose snappy-conf writes it, or use JOB_ENGINE=gdal")
        jvm.check_home("snap", home)
        jvm.heap(self.job.java_memory)

    def start(self, scratch: str) -> None:
        name = installed_module()
        assert name is not None, "check() has passed"
        folders = jvm.make_folders(scratch)
        self._write_ini(name, folders)
        before = os.getcwd()
        os.chdir(folders.work)  # the last ini file that the module reads is that of the working directory
        try:
            self._snap = importlib.import_module(name)
        except Exception as error:  # jpy's errors are RuntimeErrors, a missing library is an OSError, …
            raise EojobError(f"engine: 'snap' could not start SNAP through {name}: {_words(error)}; run site.yml, which"
                             " configures it anew, or use JOB_ENGINE=gdal") from error
        finally:
            os.chdir(before)

    def _write_ini(self, name: str, folders: jvm.Folders) -> None:
        """The module's settings for this rank; those that are left out stay as installed."""
        heap = jvm.heap(self.job.java_memory)
        ours: Dict[str, str] = {"java_max_mem": f"{heap}M"}
        if self.job.snap_home:
            ours["snap_home"] = self.job.snap_home
        installed = read_ini(name).get("java_options", "").split("|")
        ours["java_options"] = "|".join(jvm.merged(installed, jvm.options(folders, heap)))
        # The module's reader interpolates, so % is doubled.
        text = "".join(f"{key} = {value.replace('%', '%%')}\n" for key, value in ours.items())
        with open(os.path.join(folders.work, name + ".ini"), "w", encoding="utf-8") as stream:
            stream.write("[DEFAULT]\n" + text)

    def stop(self) -> None:
        self._dispose()

    def read_product(self, source: Source) -> Any:
        source.wait()  # SNAP opens every file of the folder at once
        path = os.path.join(source.folder, safe.PRODUCT_METADATA)
        product = self._call(f"{source.name} cannot be read", self._snap.ProductIO.readProduct, path)
        if product is None:
            raise ProductError(f"SNAP: no reader for {source.name}; is the toolbox Sentinel-2 among snap_toolboxes?")
        self._open.append(product)
        return product

    def create_product(self, operator: str, parameters: Dict[str, Any], product: Any) -> Any:
        mapped = self._snap.HashMap()
        for key, value in parameters.items():
            mapped.put(key, self._java(value))
        made = self._call(operator, self._snap.GPF.createProduct, operator, mapped, product)
        self._open.append(made)
        return made

    def _java(self, value: Any) -> Any:
        """A parameter as SNAP's converters take it. Since jpy 1.0 a bare 20 is a java.lang.Byte, which they refuse."""
        if isinstance(value, numbers.Integral) and not isinstance(value, bool) and abs(int(value)) <= _LARGEST_INTEGER:
            return self._snap.jpy.get_type("java.lang.Integer")(int(value))
        return as_text(value)

    def write_product(self, product: Any, path: str, format_name: str) -> None:
        started = time.time()
        self._call(f"{os.path.basename(path)} cannot be written", self._snap.ProductIO.writeProduct, product, path,
                   format_name)
        self.seconds["write"] = time.time() - started  # SNAP decodes and computes while it writes

    def close_product(self, product: Any) -> None:
        self._dispose()

    def _dispose(self) -> None:
        while self._open:
            with contextlib.suppress(Exception):  # what stopped the product says more, and the others have their turn
                self._open.pop().dispose()

    @staticmethod
    def _call(what: str, function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Exception as error:  # jpy makes a RuntimeError of any Java exception
            raise ProductError(f"SNAP: {what}: {_words(error)}") from error


def as_text(value: Any) -> str:
    """A parameter as text, as it stands in a graph: true, false, B2,B3,B4, 20."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (list, tuple)):
        return ",".join(as_text(item) for item in value)
    return str(value)


def _words(error: Exception) -> str:
    """An exception on one line."""
    return " ".join(str(error).split()) or type(error).__name__


def installed_module() -> Optional[str]:
    """The module of SNAP's that this Python has, rather one that is configured; none is imported for that."""
    found = [name for name in MODULES if importlib.util.find_spec(name) is not None]
    return next((name for name in found if read_ini(name)), found[0] if found else None)


def _folder(module: str) -> str:
    spec = importlib.util.find_spec(module)
    return os.path.dirname(os.path.realpath(spec.origin)) if spec is not None and spec.origin else ""


def read_ini(module: str) -> Dict[str, str]:
    """The installed settings of the module, as the module reads them; empty when snappy-conf has written none.

    Raises:
        EojobError: they cannot be understood.
    """
    folder = _folder(module)
    config = configparser.ConfigParser()
    try:
        config.read([os.path.join(folder, module + ".ini"), os.path.join(folder, "..", module + ".ini")])
    except configparser.Error as error:
        raise EojobError(f"engine: {module}.ini in {folder} cannot be read ({_words(error)}); {_REMEDY}") from error
    return {key: value.replace("%%", "%") for key, value in config.defaults().items()}
