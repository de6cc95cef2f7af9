"""What tests of SNAP's engines share: a module that only records what it is asked, and SNAP homes."""

import json
from pathlib import Path

# Answers nothing and computes nothing: it writes down what the engine does, for the tests to read.
RECORDER = '''
import json, os, sys
_record = []
def note(*what):
    _record.append(what)
    open(os.environ["RECORD"], "w").write(json.dumps(_record))
import configparser
config = configparser.ConfigParser()
here = os.path.dirname(os.path.realpath(__file__))
NAME = os.path.basename(here)
config.read([os.path.join(here, NAME + ".ini"), os.path.join(here, "..", NAME + ".ini"), NAME + ".ini"])
note("ini", dict(config.defaults()), os.getcwd())
if os.environ.get("FAIL") == "import":
    raise RuntimeError("jpy: failed\\nto create Java VM")
class Integer:
    def __init__(self, value):
        assert type(value) is int
        self.value = value
class jpy:
    @staticmethod
    def get_type(name):
        assert name == "java.lang.Integer", name
        return Integer
class HashMap:
    def __init__(self):
        self.content = {}
    def put(self, key, value):
        self.content[key] = ["Integer", value.value] if isinstance(value, Integer) else value
class Product:
    def __init__(self, name):
        self.name = name
    def dispose(self):
        note("dispose", self.name)
        if os.environ.get("FAIL") == "dispose":
            raise RuntimeError("gone already")
class ProductIO:
    @staticmethod
    def readProduct(path):
        note("read", path)
        return None if os.environ.get("FAIL") == "read" else Product("read")
    @staticmethod
    def writeProduct(product, path, format_name):
        note("write", product.name, path, format_name)
        raise RuntimeError("java.io.IOException: disk\\nfull")
class GPF:
    @staticmethod
    def createProduct(operator, parameters, product):
        assert isinstance(parameters, HashMap) and isinstance(product, Product)
        note("create", operator, parameters.content, product.name)
        if os.environ.get("FAIL") == operator:
            raise RuntimeError("org.esa.snap.core.gpf.OperatorException: no")
        return Product(operator)
'''


def make_home(folder: Path) -> Path:
    """A folder that looks like SNAP's; its gpt cannot do anything."""
    gpt = folder / "bin" / "gpt"
    gpt.parent.mkdir(parents=True)
    gpt.write_text("#!/bin/sh\nexit 99\n")
    gpt.chmod(0o755)
    return folder


def make_module(folder: Path, name: str, ini: str) -> Path:
    """The recorder as a package `name` in `folder`, with the settings that snappy-conf leaves; "" for none."""
    package = folder / name
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(RECORDER)
    if ini:
        (package / f"{name}.ini").write_text(ini)
    return package


def recorded(path: Path) -> list:
    """What the recorder was asked, in turn."""
    return json.loads(path.read_text()) if path.exists() else []
