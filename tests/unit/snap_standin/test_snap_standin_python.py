"""snappy-conf, the packages snappy and esa_snappy, and the bridge's rules on types."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

MODULES = {9: "snappy", 10: "esa_snappy", 11: "esa_snappy", 12: "esa_snappy", 13: "esa_snappy"}
RESAMPLE = """
import sys, {module} as snap
from {module} import jpy
product = snap.ProductIO.readProduct(sys.argv[1])
parameters = snap.HashMap()
parameters.put("targetResolution", {value})
print(snap.GPF.createProduct({operator!r}, parameters, product).getSceneRasterWidth())
"""


def configure(standin, major, folder, python=sys.executable, behaviour="ok", answers=()):
    return standin.run(standin.installed(major, behaviour, answers) / "bin" / "snappy-conf", python, folder)


@pytest.mark.parametrize("major", MODULES)
def test_a_configured_package_is_imported(standin, major):
    module, folder = MODULES[major], standin.configured(major)
    package = folder / module
    assert (package / "jpyconfig.properties").exists() and (package / "jpyconfig.py").exists()
    ini = (package / f"{module}.ini").read_text().splitlines()
    heap = int(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * 0.7 / 1024 ** 3)
    assert ini[:3] == ["[DEFAULT]", f"snap_home = {standin.installed(major)}", f"java_max_mem: {heap}G"]
    done = standin.python(folder, f"from {module} import ProductIO, GPF, HashMap, SystemUtils as s;"
                                  " print(s.getReleaseVersion())")
    assert done.stdout == standin.versions.VERSIONS[major]["version"] + "\n"
    assert done.stderr.count("stand-in") == 1 and done.stderr.count("\n") == 1


def test_9_carries_jpy_for_python_3_6_which_needs_no_rasterio(standin, safe, tmp_path):
    found = [path for path in [Path("/usr/bin/python3.6"), *Path.home().glob(".pyenv/versions/3.6.*/bin/python3.6")]
             if path.exists()]
    if not found:
        pytest.skip("no Python 3.6 is on this machine")
    done = configure(standin, 9, tmp_path, found[0])
    assert done.returncode == 0, done.stdout
    code = RESAMPLE.format(module="snappy", value="20", operator="Resample")
    code += "parameters = snap.HashMap()\nparameters.put('sourceBands', 'B2')\n"
    code += "snap.ProductIO.writeProduct(snap.GPF.createProduct('Subset', parameters, product), 'b2', 'GeoTIFF')\n"
    done = standin.run(found[0], "-c", code, safe, cwd=tmp_path, PYTHONPATH=tmp_path)
    assert done.returncode == 0 and done.stdout == "192\n", done.stderr
    with rasterio.open(tmp_path / "b2.tif") as dataset:
        assert dataset.shape == (384, 384) and dataset.read(1).any()


def test_unconfigured_packages_do_not_import(standin, tmp_path):
    standin.prepare(13, tmp_path)
    done = standin.python(tmp_path, "import esa_snappy")
    assert done.returncode == 1 and "No module named 'jpyutil'" in done.stderr


@pytest.mark.parametrize("major, code, message", [
    (9, 1, "failed with return code 10"), (10, 0, "failed with return code 10"),
    (11, 2, "Unknown option --snappy"), (12, 0, "holds no snappyutil.py"), (13, 0, "pip install esa_snappy")])
def test_what_is_missing_shows_in_words_and_only_in_9_in_the_exit_code(standin, tmp_path, major, code, message):
    if major == 11:
        (standin.home / ".snap" / "system" / "modules" / "eu-esa-snap-esa-snappy.jar").unlink(missing_ok=True)
    done = configure(standin, major, tmp_path)
    assert done.returncode == code and message in done.stdout + done.stderr
    assert ("Configuration failed!" in done.stdout) == (major != 11)
    assert not list(tmp_path.rglob("*.ini"))


def test_11_needs_a_jpy_for_python_3_11_even_with_its_module(standin, tmp_path):
    snap = standin.installed(11) / "bin" / "snap"
    assert standin.run(snap, "--nogui", "--nosplash", "--modules", "--install", "no.such.module").returncode == 1
    done = standin.run(snap, "--nogui", "--nosplash", "--modules", "--install", "eu.esa.snap.esa.snappy")
    assert done.returncode == 0 and (standin.home / ".snap" / "system" / "modules").is_dir()
    done = configure(standin, 11, tmp_path)
    assert done.returncode == 0 and "Configuration failed!" in done.stdout
    assert "no binary 'jpy' wheel" in (tmp_path / "esa_snappy" / "snappyutil.log").read_text()


@pytest.mark.parametrize("change", ["manylinux", "other Python"])
def test_a_jpy_wheel_counts_only_under_its_exact_name_and_for_its_python(standin, tmp_path, change):
    (tmp_path / "snappy").mkdir()
    tag = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    wheel = standin.wheels.jpy_wheel(tmp_path / "snappy", tag, "1.0.0")
    old, new = ("linux_x86_64", "manylinux_2_17_x86_64") if change == "manylinux" else (f"{tag}-{tag}", "cp37-cp37m")
    wheel.rename(wheel.with_name(wheel.name.replace(old, new)))
    assert configure(standin, 9, tmp_path).returncode == 1
    assert "no binary 'jpy' wheel" in (tmp_path / "snappy" / "snappyutil.log").read_text()


def test_no_python_and_no_component(standin, tmp_path):
    done = configure(standin, 13, tmp_path, "/nonexistent/python3")
    assert done.returncode == 0 and "executable not found: /nonexistent/python3" in done.stdout
    done = configure(standin, 13, tmp_path, answers=["sys.component.3573$Boolean=false"])
    assert done.returncode == 2 and "Unknown option --snappy" in done.stderr
    done = standin.run(standin.installed(13) / "bin" / "snappy-conf")
    assert done.returncode == 1 and done.stdout.startswith("usage: snappy-conf <python> [<dir>]")


def test_told_to_lie_about_the_configuration(standin, tmp_path):
    standin.prepare(13, tmp_path)
    done = configure(standin, 13, tmp_path, behaviour="conf-lie")
    assert done.returncode == 0 and "Configuration failed!" in done.stdout
    assert not (tmp_path / "esa_snappy" / "esa_snappy.ini").exists()


@pytest.mark.parametrize("arguments, last", [
    (["bin/snappy-conf", sys.executable, "FOLDER"], "The executable of the Python environment is located at"),
    (["bin/snap", "--nosplash", "--nogui", "--modules", "--update-all"], "updates=0")])
def test_what_hangs_when_its_work_is_done(standin, tmp_path, arguments, last):
    standin.prepare(13, tmp_path)
    home = standin.installed(13, "conf-hang")
    command = [home / arguments[0], *(str(tmp_path) if word == "FOLDER" else word for word in arguments[1:])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               start_new_session=True, env={**os.environ, "HOME": str(tmp_path)})
    try:
        assert any(line.startswith(last) for line in iter(process.stdout.readline, ""))
        assert (tmp_path / "esa_snappy" / "esa_snappy.ini").exists() == ("snappy-conf" in arguments[0])
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    finally:
        os.killpg(process.pid, 9)
        process.wait()


@pytest.mark.parametrize("major, jpy, value, width", [
    (9, "0.9.0", "20", 192), (9, "1.0.0", "20", None), (11, "0.13.0", "20", None), (13, "1.0.0", "20", None),
    (13, "1.0.0", "'20'", 192), (13, "1.0.0", "jpy.get_type('java.lang.Integer')(20)", 192),
    (13, "1.0.0", "jpy.get_type('java.lang.Long')(20)", None), (13, "1.0.0", "20.0", None)])
def test_the_type_of_a_number_follows_jpy(standin, safe, major, jpy, value, width):
    code = RESAMPLE.format(module=MODULES[major], value=value, operator="Resample")
    done = standin.python(standin.configured(major, jpy), code, safe)
    if width:
        assert done.stdout == f"{width}\n", done.stderr
    else:
        assert done.returncode == 1
        assert ("RuntimeError" in done.stderr or "JavaError" in done.stderr)
        assert "Value for 'Target resolution' must be of type 'Integer'" in done.stderr


def test_faults_are_runtime_errors_in_snaps_words(standin, safe):
    code = """
import sys
from esa_snappy import GPF, HashMap, ProductIO, jpy
product = ProductIO.readProduct(sys.argv[1])
def attempt(operator, source, **values):
    parameters = HashMap()
    for key, value in values.items():
        parameters.put(key, value)
    try:
        return GPF.createProduct(operator, parameters, source)
    except RuntimeError as error:
        print(error)
attempt("Resampel", product)
attempt("Resample", product, resolution="20")
attempt("Resample", product, targetResolution="20", downsampling="Meen")
attempt("Subset", product, sourceBands="B2,B99")
attempt("Resample", None, targetResolution="20")
for call in (lambda: GPF.createProduct("Resample", {}, product), lambda: ProductIO.readProduct("/nonexistent"),
             lambda: ProductIO.writeProduct(product, "x", "GeoTIFF"),
             lambda: ProductIO.writeProduct(product, "x", "PNG")):
    try:
        call()
    except RuntimeError as error:
        print(error)
product.dispose()
attempt("Resample", product, targetResolution="20")
try:
    jpy.get_type("java.lang.Integr")
except ValueError as error:
    print(error)
"""
    done = standin.python(standin.configured(13), code, safe)
    lines = done.stdout.splitlines()
    assert len(lines) == 11, done.stdout + done.stderr
    for line, words in zip(lines, [
            "No SPI found for operator 'Resampel'", "Operator 'ResamplingOp': Unknown parameter 'resolution'.",
            "'Downsampling method' is invalid: 'Meen'", "Source product does not contain a raster named 'B99'.",
            "Mandatory source product (field 'sourceProduct') not set.", "no matching Java method overloads found",
            "java.io.FileNotFoundException: File not found: /nonexistent", "different sizes",
            "no product writer for the 'PNG' format", "has been disposed of",
            "Java class 'java.lang.Integr' not found"], strict=True):
        assert words in line


def test_the_ini_of_the_working_directory_wins(standin, tmp_path):
    folder = standin.configured(13)
    log, userdir = tmp_path / "log", tmp_path / "userdir"
    (tmp_path / "esa_snappy.ini").write_text(
        f"[DEFAULT]\njava_max_mem = 700M\njava_options = -Dsnap.userdir={userdir}|-Djava.io.tmpdir={tmp_path}\n")
    code = "from esa_snappy import EngineConfig; print(*EngineConfig.instance().jvmOptions(), sep='\\n')"
    done = standin.python(folder, code, cwd=tmp_path, STANDIN_SNAP_LOG=log)
    options = done.stdout.splitlines()
    assert {"-Xmx700M", f"-Dsnap.userdir={userdir}", f"-Djava.io.tmpdir={tmp_path}",
            f"-Dsnap.home={standin.installed(13)}", "-Djava.awt.headless=true"} <= set(options)
    start, = standin.log(log)
    assert start["options"] == options and start["userdir"] == str(userdir) and userdir.is_dir()


@pytest.mark.parametrize("line, message", [
    ("snap_home = /nonexistent", "Can't find SNAP distribution directory"),
    ("snap_home = /usr", "does not seem to be a valid SNAP distribution directory: /usr"),
    ("java_max_mem = 3 G", "Invalid maximum heap size: -Xmx3 G"),
    ("java_options = -Da=b|nonsense", "Unrecognized option: nonsense")])
def test_settings_that_keep_it_from_starting(standin, tmp_path, line, message):
    (tmp_path / "esa_snappy.ini").write_text(f"[DEFAULT]\n{line}\n")
    done = standin.python(standin.configured(13), "import esa_snappy", cwd=tmp_path)
    assert done.returncode == 1 and message in done.stderr


@pytest.mark.parametrize("major", [9, 10, 11, 13])
def test_a_stale_lock_is_waited_for_from_11_on(standin, tmp_path, major):
    folder, module = standin.configured(major), MODULES[major]
    (tmp_path / "auxdata").mkdir()
    (tmp_path / "auxdata" / "gdal.lock").touch()
    (tmp_path / f"{module}.ini").write_text(f"[DEFAULT]\njava_options = -Dsnap.userdir={tmp_path}\n")
    process = subprocess.Popen([sys.executable, "-c", f"import {module}"], cwd=tmp_path, stderr=subprocess.PIPE,
                               env={**os.environ, "PYTHONPATH": str(folder)}, text=True)
    try:
        assert "stand-in" in process.stderr.readline()
        if major < 11:
            assert process.wait(60) == 0
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.6)
            (tmp_path / "auxdata" / "gdal.lock").unlink()
            assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
