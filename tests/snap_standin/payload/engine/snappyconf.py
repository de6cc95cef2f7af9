"""What snappy-conf makes SNAP do: unpack the Python package, run its snappyutil.py with the given Python, report."""

import os
import shutil
import subprocess
import sys
import time

from .settings import ram, user_home


def configure(installation, arguments):
    """Configure a Python; the exit code, which is 0 from SNAP 10 on even when it failed."""
    new = installation.major >= 10
    print("Configuring ESA SNAP-Python interface..." if new else "Configuring SNAP-Python interface...", flush=True)
    if not 1 <= len(arguments) <= 2:
        sys.stderr.write(f"java.lang.IllegalArgumentException: wrong number of arguments: {len(arguments)}\n")
        return 1
    python = arguments[0]
    fault = None
    if installation.behaviour == "conf-lie":
        fault = "Python configuration error (the stand-in was told to fail)"
    elif not os.path.exists(python):
        fault = f"Python interpreter executable not found: {python}"
    else:
        try:
            folder = os.path.abspath(arguments[1]) if len(arguments) == 2 else _default(installation, python)
            package = _unpack(installation, python, folder)
            _configure(installation, python, package)
        except (OSError, subprocess.CalledProcessError) as error:
            fault = f"Python configuration error: {error}"
    if fault:
        print("Configuration failed!")
        print(f"Error: {fault}")
        sys.stdout.flush()
        sys.stderr.write(f"java.lang.Exception: {fault}\n\tat eu.esa.snap.snappy.Configurator.doConfig\n")
        return 0 if new else 1
    if new:
        print("Configuration finished successful!")
    print(f"Done. The SNAP-Python interface is located in '{package}'")
    if new:
        print(f"The executable of the Python environment is located at '{python}'")
    else:
        print(f"When using SNAP from Python, either do: sys.path.append('{os.path.dirname(package)}')")
        print("or copy the 'snappy' module into your Python's 'site-packages' directory.")
    sys.stdout.flush()
    while installation.behaviour == "conf-hang":
        time.sleep(60)
    return 0


def _default(installation, python):
    """Where the package goes when no folder is given: ~/.snap/snap-python in 9, the Python's site-packages later."""
    if installation.major == 9:
        return os.path.join(user_home(), ".snap", "snap-python")
    code = "import sysconfig; print(sysconfig.get_path('platlib'))"
    return subprocess.check_output([python, "-c", code]).decode().strip()


def _unpack(installation, python, folder):
    """The package's folder below `folder`. From 12 on pip must have put it there. Raises OSError."""
    module = installation.facts["module"]
    package = os.path.join(folder, module)
    if installation.major >= 12:
        if not os.path.isfile(os.path.join(package, "snappyutil.py")):
            raise OSError(f"{package} holds no snappyutil.py; run '{python} -m pip install esa_snappy' first")
        return package
    source = os.path.join(installation.home, "snap", "modules", "ext", "standin", module)
    os.makedirs(package, exist_ok=True)
    for name in os.listdir(source):
        shutil.copy(os.path.join(source, name), package)
    return package


def _configure(installation, python, package):
    """Run snappyutil.py as PyBridge does. Raises OSError when it ends with another code than 0."""
    heap = f"{int(ram() * 0.7 / 1024 ** 3)}G"
    command = [python, os.path.join(".", "snappyutil.py"), "--snap_home", installation.home, "--java_module",
               os.path.join(installation.home, "snap", "modules", "ext", "standin"), "--force", "--log_file",
               os.path.join(".", "snappyutil.log"), "--jvm_max_mem", heap, "--java_home",
               os.path.join(installation.home, "jre"), "--req_arch", os.uname().machine]
    process = subprocess.Popen(command, cwd=package, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    output = process.communicate()[0].decode(errors="replace")
    if process.returncode:
        raise OSError(f"Python configuration failed.\nCommand [{' '.join(command)}]\nfailed with return code"
                      f" {process.returncode}.\nPlease check the log file '{package}/snappyutil.log'.\n{output[-500:]}")
