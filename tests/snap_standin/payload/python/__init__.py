"""The stand-in's snappy (SNAP 9) and esa_snappy (from 10 on): the real package's settings, files and names.

The ini file beside this one (snappy.ini or esa_snappy.ini), then the one in the folder above, then the one in the
working directory are read, the last wins: snap_home, java_max_mem, java_options (split at '|'), snap_start_engine.
"""

import configparser
import os
import sys

module_dir = os.path.dirname(os.path.realpath(__file__))
module_ini = os.path.basename(module_dir) + ".ini"

config = configparser.ConfigParser()
config.read([os.path.join(module_dir, module_ini), os.path.join(module_dir, "..", module_ini), module_ini])

if module_dir not in sys.path:
    sys.path.append(module_dir)
import jpyutil  # noqa: E402  (both lie in this folder once snappy-conf has unpacked jpy)

jpyutil.preload_jvm_dll()
import jpy  # noqa: E402  (as jpyutil)


def _jvm_options():
    """The JVM's options. Raises OSError without an existing snap_home, RuntimeError when it is no SNAP."""
    snap_home = config.get("DEFAULT", "snap_home", fallback=os.getenv("SNAP_HOME"))
    if snap_home is None or not os.path.isdir(snap_home):
        raise OSError("Can't find SNAP distribution directory. Either configure variable 'snap_home' in file"
                      " './snappy.ini' or set environment variable 'SNAP_HOME' to an existing SNAP distribution"
                      " directory.")
    names = [name for name in os.listdir(snap_home) if os.path.isdir(os.path.join(snap_home, name))]
    if not {"bin", "etc", "snap"}.issubset(names):
        raise RuntimeError("does not seem to be a valid SNAP distribution directory: " + snap_home)
    class_path = [os.path.join(snap_home, name, "modules") for name in names if name not in ("platform", "ide", "bin",
                                                                                            "etc")]
    if config.has_option("DEFAULT", "java_class_path"):
        class_path += config.get("DEFAULT", "java_class_path").split(os.pathsep)
    options = ["-Djava.awt.headless=true", "-Djava.class.path=" + os.pathsep.join(class_path),
               "-Djava.library.path=" + config.get("DEFAULT", "java_library_path", fallback=""),
               "-Dsnap.home=" + snap_home, "-Xmx" + config.get("DEFAULT", "java_max_mem", fallback="512M")]
    if config.has_option("DEFAULT", "java_options"):
        options += config.get("DEFAULT", "java_options").split("|")
    return options


called_from_java = jpy.has_jvm()
if not called_from_java:
    jpy.create_jvm(options=_jvm_options())

String = jpy.get_type("java.lang.String")
File = jpy.get_type("java.io.File")
Point = jpy.get_type("java.awt.Point")
Rectangle = jpy.get_type("java.awt.Rectangle")
Arrays = jpy.get_type("java.util.Arrays")
Collections = jpy.get_type("java.util.Collections")
List = jpy.get_type("java.util.List")
Map = jpy.get_type("java.util.Map")
Set = jpy.get_type("java.util.Set")
ArrayList = jpy.get_type("java.util.ArrayList")
HashMap = jpy.get_type("java.util.HashMap")
HashSet = jpy.get_type("java.util.HashSet")
Product = jpy.get_type("org.esa.snap.core.datamodel.Product")
Band = jpy.get_type("org.esa.snap.core.datamodel.Band")
ProductData = jpy.get_type("org.esa.snap.core.datamodel.ProductData")
GPF = jpy.get_type("org.esa.snap.core.gpf.GPF")
Operator = jpy.get_type("org.esa.snap.core.gpf.Operator")
Tile = jpy.get_type("org.esa.snap.core.gpf.Tile")
EngineConfig = jpy.get_type("org.esa.snap.runtime.EngineConfig")
Engine = jpy.get_type("org.esa.snap.runtime.Engine")
SystemUtils = jpy.get_type("org.esa.snap.core.util.SystemUtils")
ProductIO = jpy.get_type("org.esa.snap.core.dataio.ProductIO")
ProductUtils = jpy.get_type("org.esa.snap.core.util.ProductUtils")
GeoUtils = jpy.get_type("org.esa.snap.core.util.GeoUtils")
ProgressMonitor = jpy.get_type("com.bc.ceres.core.ProgressMonitor")
Geometry = jpy.get_type("org.locationtech.jts.geom.Geometry")
WKTReader = jpy.get_type("org.locationtech.jts.io.WKTReader")

if not called_from_java:
    EngineConfig.instance().load()
    SystemUtils.init3rdPartyLibs(None)
    if config.getboolean("DEFAULT", "snap_start_engine", fallback=True):
        Engine.start()
