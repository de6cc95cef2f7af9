"""The stand-in's jpyutil: writes and reads jpyconfig.py and jpyconfig.properties."""

import os
import sys


def _config_file():
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), "jpyconfig.py")


def preload_jvm_dll():
    """Look for the JVM's library as jpyconfig.py says. Raises ValueError without one, OSError when it is gone."""
    try:
        with open(_config_file()) as lines:
            values = dict(line.strip().split(" = ", 1) for line in lines if " = " in line)
    except OSError:
        values = {}
    if "jvm_dll" not in values:
        raise ValueError("can't load JVM DLL: none is configured and none was found")
    path = values["jvm_dll"].strip("'\"")
    if not os.path.isfile(path):
        raise OSError(f"{path}: cannot open shared object file: No such file or directory")


def write_config_files(out_dir=".", java_home_dir=None):
    """Write both files. 0 on success, 2 when there is no JVM below `java_home_dir`."""
    found = [os.path.join(java_home_dir or "", folder, "libjvm.so")
             for folder in ("lib/server", "lib/amd64/server")]
    library = next((path for path in found if os.path.isfile(path)), None)
    if library is None:
        sys.stderr.write("Can't determine any JVM shared library\n")
        return 2
    with open(os.path.join(out_dir, "jpyconfig.py"), "w") as out:
        out.write(f"# Created by 'jpyutil.py' tool\njava_home = '{java_home_dir}'\njvm_dll = '{library}'\n"
                  "jvm_maxmem = None\njvm_classpath = []\njvm_properties = {}\njvm_options = []\n")
    with open(os.path.join(out_dir, "jpyconfig.properties"), "w") as out:
        out.write(f"# Created by 'jpyutil.py' tool\njpy.jpyLib = {out_dir}/jpy.py\njpy.jdlLib = {out_dir}/jpy.py\n"
                  f"jpy.pythonPrefix = {sys.prefix}\njpy.pythonExecutable = {sys.executable}\n")
    return 0
