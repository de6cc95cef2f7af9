"""SNAP's Java classes that scripts call: ProductIO, GPF, SystemUtils, EngineConfig, Engine; found by name."""

from . import compute, java, operators, product
from .errors import JavaError, operator_error

_NO_OVERLOAD = "no matching Java method overloads found"
# Classes that the real packages ask for when they are imported and that the stand-in does nothing with.
_EMPTY = {
    "java.awt": ("Point", "Rectangle"),
    "java.util": ("Arrays", "Collections", "List", "Map", "Set", "HashSet"),
    "org.esa.snap.core.datamodel": ("VectorDataNode", "RasterDataNode", "TiePointGrid", "AbstractBand",
                                    "VirtualBand", "Mask", "ProductData", "GeoCoding", "CrsGeoCoding", "GeoPos",
                                    "PixelPos", "FlagCoding", "ProductNodeGroup"),
    "org.esa.snap.core.gpf": ("Operator", "Tile"),
    "org.esa.snap.core.util": ("ProductUtils", "GeoUtils"),
    "org.locationtech.jts.geom": ("Geometry",),
    "org.locationtech.jts.io": ("WKTReader",),
}


def classes(jvm):
    """All classes by name, for a started JVM."""
    installation = jvm.installation

    class ProductIO(java.JavaObject):
        @staticmethod
        def readProduct(path, *formats):
            if path is None or not isinstance(path, (str, java.File)):
                raise RuntimeError(_NO_OVERLOAD)
            return product.read(installation, str(path))

        @staticmethod
        def writeProduct(source, path, format_name, *more):
            if not isinstance(source, product.Product) or not isinstance(path, (str, java.File)):
                raise RuntimeError(_NO_OVERLOAD)
            write(source, str(java.File(path)), format_name, installation)

    class OperatorSpiRegistry(java.JavaObject):
        def loadOperatorSpis(self):
            pass

        def getOperatorSpi(self, name):
            return name if name in operators.OPERATORS else None

    class GPF(java.JavaObject):
        @staticmethod
        def createProduct(name, parameters, sources=None, hints=None):
            if not isinstance(parameters, java.HashMap):
                raise RuntimeError(_NO_OVERLOAD)
            source = sources
            if isinstance(sources, java.HashMap):
                source = sources.get("sourceProduct") or sources.get("source") or next(iter(sources.values()), None)
            elif isinstance(sources, (list, tuple)):
                source = sources[0] if sources else None
            return operators.create(name, dict(parameters.items()), source)

        @staticmethod
        def getDefaultInstance():
            return GPF()

        def getOperatorSpiRegistry(self):
            return OperatorSpiRegistry()

        @staticmethod
        def writeProduct(source, path, format_name, *more):
            ProductIO.writeProduct(source, path, format_name)

    class SystemUtils(java.JavaObject):
        @staticmethod
        def init3rdPartyLibs(loader):
            pass

        @staticmethod
        def getReleaseVersion():
            return installation.release()

        @staticmethod
        def getApplicationHomeDir():
            return java.File(installation.home)

        @staticmethod
        def getApplicationDataDir(force=False):
            return java.File(jvm.userdir)

    class EngineConfig(java.JavaObject):
        @staticmethod
        def instance():
            return EngineConfig()

        def load(self):
            return self

        def jvmOptions(self):
            """The stand-in's own: the options that the JVM was started with, for tests."""
            return list(jvm.options)

    class Engine(java.JavaObject):
        @staticmethod
        def start():
            return Engine()

    class ProgressMonitor(java.JavaObject):
        NULL = java.JavaObject()

    class System(java.JavaObject):
        @staticmethod
        def getProperty(name, default=None):
            return jvm.system.get(name, default)

        @staticmethod
        def gc():
            pass

    found = {"java.lang." + name: getattr(java, name)
             for name in ("Byte", "Short", "Integer", "Long", "Float", "Double", "String")}
    found.update({
        "java.util.HashMap": java.HashMap, "java.util.ArrayList": java.ArrayList, "java.io.File": java.File,
        "java.lang.System": System, "org.esa.snap.core.datamodel.Product": product.Product,
        "org.esa.snap.core.datamodel.Band": product.Band, "org.esa.snap.core.dataio.ProductIO": ProductIO,
        "org.esa.snap.core.gpf.GPF": GPF, "org.esa.snap.core.util.SystemUtils": SystemUtils,
        "org.esa.snap.runtime.EngineConfig": EngineConfig, "org.esa.snap.runtime.Engine": Engine,
        "com.bc.ceres.core.ProgressMonitor": ProgressMonitor})
    for package, names in _EMPTY.items():
        for name in names:
            found[f"{package}.{name}"] = type(name, (java.JavaObject,), {"java_name": f"{package}.{name}"})
    return found


def write(source, path, format_name, installation):
    """Write a product; GeoTIFF is what the stand-in can. Raises JavaError."""
    if str(format_name).lower() not in ("geotiff", "geotiff-bigtiff"):
        raise JavaError("org.esa.snap.core.dataio.ProductIOException",
                        f"no product writer for the '{format_name}' format available (the stand-in writes GeoTIFF)")
    return compute.write(source, path, installation)


def read_or_fail(path, installation):
    """As ReadOp: no reader is an error."""
    found = product.read(installation, path)
    if found is None:
        raise operator_error(f"No product reader found for file '{path}'.")
    return found
