"""Configures the package in this folder: unpacks jpy, writes jpyconfig.py, jpyconfig.properties and the ini file."""

import argparse
import logging
import os
import re
import sys
import sysconfig
import zipfile

NO_WHEEL, INTERNAL = 10, 50


def find_wheel(folders):
    """The first jpy wheel for this Python and platform in `folders`, or None; the platform is linux_x86_64, so that a
    manylinux wheel in the package's folder does not count."""
    platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
    pattern = re.compile(rf"jpy-[^\-]+-cp{sys.version_info[0]}{sys.version_info[1]}-[^\-]+-{platform}\.whl$")
    for folder in folders:
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if pattern.match(name):
                return os.path.join(folder, name)
    return None


def configure(package, arguments):
    """The exit code."""
    module = os.path.basename(package)
    if module == "snappy":
        import distutils.util  # noqa: F401  (SNAP 9's needs it: not there from Python 3.12 on)
    lib = os.path.join(package, "lib")
    wheel = find_wheel([lib] if os.path.isdir(lib) else [package, os.path.join(arguments.java_module, "lib")])
    if wheel is None:
        logging.error("The module 'jpy' is required to run %s, but no binary 'jpy' wheel matching this Python could be"
                      " found.\nYou can copy one into \"%s\" and then run the configuration again.", module, package)
        return NO_WHEEL
    logging.info("Unzipping '%s'", wheel)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package)
    import jpyutil  # unpacked just now

    code = jpyutil.write_config_files(out_dir=package, java_home_dir=arguments.java_home)
    if code:
        return code
    ini = os.path.join(package, module + ".ini")
    with open(ini, "w") as out:
        out.write(f"[DEFAULT]\nsnap_home = {arguments.snap_home}\njava_max_mem: {arguments.jvm_max_mem}\n"
                  "# snap_start_engine: False\n# java_class_path: ./target/classes\n# java_library_path: ./lib\n"
                  "# java_options: -Djava.awt.headless=false\n# debug: False\n")
    logging.info("snappy configuration written to '%s'", ini)
    if module == "snappy":
        logging.info("Importing snappy for final test...")
        sys.path.insert(0, os.path.dirname(package))
        __import__("snappy")
    logging.info("Done. The SNAP-Python interface is located in '%s'", package)
    return 0


def main():
    parser = argparse.ArgumentParser(description="Configures snappy, the SNAP-Python interface.")
    for option in ("--snap_home", "--req_arch", "--java_module", "--java_home", "--log_file"):
        parser.add_argument(option)
    parser.add_argument("--jvm_max_mem", default="3G")
    parser.add_argument("--log_level", default="INFO")
    parser.add_argument("-f", "--force", action="store_true")
    arguments = parser.parse_args()
    target = {"filename": arguments.log_file, "filemode": "w"} if arguments.log_file else {}
    logging.basicConfig(format="%(levelname)s: %(message)s", level=arguments.log_level, **target)
    try:
        code = configure(os.path.dirname(os.path.abspath(__file__)), arguments)
    except Exception:
        logging.exception("Configuration failed")
        code = 30 if os.path.basename(os.path.dirname(os.path.abspath(__file__))) == "snappy" else INTERNAL
    if code:
        logging.error("Configuration failed with exit code %s", code)
    sys.exit(code)


if __name__ == "__main__":
    main()
