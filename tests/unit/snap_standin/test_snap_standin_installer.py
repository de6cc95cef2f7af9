"""The stand-in's installer keeps install4j's contract, and misbehaves as it is told."""

import ast
import os
import subprocess

import pytest

MAJORS = (9, 10, 11, 12, 13)
PYTHON_KEYS = ("forcePython$Boolean=true", "pythonExecutable=/usr/bin/python3",
               "executeLauncherWithPythonAction$Boolean=true")


def heap():
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"-Xmx{max(1, int(ram * 0.7 / 1024 ** 3))}G"


def varfile(folder, *lines):
    path = folder / "answers.varfile"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


@pytest.mark.parametrize("major", MAJORS)
def test_it_lays_out_what_snap_has(standin, major):
    facts = standin.versions.VERSIONS[major]
    home = standin.installed(major)
    for name in ("bin/gpt", "bin/snap", "bin/snappy-conf"):
        assert os.access(home / name, os.X_OK), name
    assert (home / "VERSION.txt").read_text() == facts["version"]
    for name in ("bin/gpt.vmoptions", "bin/pconvert.vmoptions"):
        assert (home / name).read_text().splitlines()[-1] == heap()
    assert f"-J{heap()} " in (home / "etc" / "snap.conf").read_text()
    assert "snap.jai.defaultTileSize" in (home / "etc" / "snap.properties").read_text()
    response = (home / ".install4j" / "response.varfile").read_text()
    for component in facts["components"]:
        assert f"sys.component.{component}$Boolean=true\n" in response
    assert standin.build(major).name == facts["file"]
    assert standin.build(major).stat().st_size < 1000 * 1000


def test_every_run_says_once_that_it_is_a_stand_in(standin, tmp_path):
    done = standin.run("sh", standin.build(13), "-q", "-dir", tmp_path / "snap")
    assert done.stderr == "eocluster: this is the stand-in for tests (tests/snap_standin), not ESA's SNAP 13.0.0\n"


@pytest.mark.parametrize("major, key", [
    (9, "sys.component.3552$Boolean=true"), (10, "sys.component.S2TBX$Boolean=true"),
    (11, "sys.component.RSTB$Boolean=true"), (12, "sys.component.SMOS$Boolean=true"),
    (13, "sys.component.S2TBX$Boolean=false"), (13, "no.such.key=1"), (13, "sys.component.SNAP$Boolean=yes"),
    (13, "nonsense")])
def test_an_answer_it_does_not_know_is_refused_before_anything_is_deleted(standin, tmp_path, major, key):
    home = tmp_path / "snap"
    home.mkdir()
    (home / "kept").touch()
    answers = varfile(tmp_path, "# a comment", key)
    done = standin.run("sh", standin.build(major), "-q", "-varfile", answers, "-dir", home)
    assert done.returncode == 1
    assert "line 2: " in done.stderr and f"'{key.partition('=')[0]}'" in done.stderr
    assert (home / "kept").exists()


@pytest.mark.parametrize("flags, message", [
    (["-q", "-quiet"], "Unknown argument -quiet"), (["-q", "-dir"], "needs a value"),
    ([], "run it with -q"), (["-q"], "installation directory is given"),
    (["-q", "-dir", "snap"], "not absolute"), (["-q", "-dir", "/usr/local/"], "would now delete all of /usr/local"),
    (["-q", "-varfile", "/nonexistent"], "cannot be read")])
def test_what_it_refuses(standin, flags, message):
    done = standin.run("sh", standin.build(13), *flags)
    assert done.returncode == 1 and message in done.stderr


def test_it_wipes_its_directory_and_dir_beats_the_response_file(standin, tmp_path):
    home, other = tmp_path / "snap", tmp_path / "other"
    (home / "deep" / "down").mkdir(parents=True)
    (home / "deep" / "down" / "file").touch()
    answers = varfile(tmp_path, f"sys.installationDir={other}", *PYTHON_KEYS)
    done = standin.run("sh", standin.build(9), "-q", "-varfile", answers, "-dir", home)
    assert done.returncode == 0
    assert not (home / "deep").exists() and (home / "bin" / "gpt").exists() and not other.exists()
    assert f"The installation directory has been set to {home}." in done.stdout
    assert not list(home.rglob("snappy.ini")) and not (standin.home / ".snap" / "snap-python").exists()


def test_the_response_file_may_name_the_directory(standin, tmp_path):
    answers = varfile(tmp_path, f"sys.installationDir={tmp_path / 'named'}", "sys.languageId=en", "deleteSnapDir=ALL",
                      f"sys.symlinkDir={tmp_path}", "sys.programGroupDisabled$Boolean=true")
    assert standin.run("sh", standin.build(12), "-q", "-varfile", answers).returncode == 0
    assert (tmp_path / "named" / "bin" / "gpt").exists() and not (tmp_path / "gpt").is_symlink()


def test_told_to_fail(standin, tmp_path):
    done = standin.run("sh", standin.build(13, "fail"), "-q", "-dir", tmp_path / "snap")
    assert done.returncode == 1 and "No space left on device" in done.stderr
    assert not (tmp_path / "snap").exists()


def test_told_to_lie(standin):
    home = standin.installed(13, "lie")
    assert os.listdir(home) == [".install4j"]


def test_told_to_leave_parts_out(standin):
    assert not list(standin.installed(13, "partial").rglob("*s2msi-reader.jar"))
    assert list(standin.installed(13).rglob("*s2msi-reader.jar"))
    assert not (standin.installed(13, "partial-gpt") / "bin" / "gpt").exists()


@pytest.mark.parametrize("behaviour", ["hang", "slow"])
def test_told_to_hang_or_to_be_slow(standin, tmp_path, behaviour):
    installer = subprocess.Popen(["sh", standin.build(13, behaviour), "-q", "-dir", tmp_path / "snap"], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        assert "Extracting files ...\n" in iter(installer.stdout.readline, "")
        with pytest.raises(subprocess.TimeoutExpired):
            installer.wait(0.5)
        assert not (tmp_path / "snap").exists()
    finally:
        os.killpg(installer.pid, 9)
        installer.wait()


def test_it_can_be_padded_and_notices_that_it_is_incomplete(standin, tmp_path):
    installer = standin.build(13, size=2)
    assert installer.stat().st_size == 2000 * 1000
    assert standin.run("sh", installer, "-q", "-dir", tmp_path / "snap").returncode == 0
    part = tmp_path / "part.sh"
    part.write_bytes(installer.read_bytes()[:1500 * 1000])
    done = standin.run("sh", part, "-q", "-dir", tmp_path / "part")
    assert done.returncode == 1 and "corrupted" in done.stderr and not (tmp_path / "part").exists()


def test_what_lands_on_nodes_keeps_to_python_3_6(standin):
    files = sorted(standin.wheels.PAYLOAD.rglob("*.py"))
    assert len(files) > 10
    for path in files:
        ast.parse(path.read_text(), str(path), feature_version=(3, 6))
        assert "import eojob" not in path.read_text() and "from eojob" not in path.read_text()
