"""What the role carries over from the master's home to a volume, with folders for both; needs root, and no machine."""

import importlib.util
import os
import stat
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as the owners of homes")
NEW, OLD = "ssh-ed25519 AAAAnew", "ssh-ed25519 AAAAold"
BOB, EVE = 4001, 4002


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "carry_over", Path(__file__).parents[2] / "roles/home_share/files/carry_over.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def homes(tmp_path: Path) -> tuple[Path, Path]:
    """The master's home and the volume; every parent may be entered by all, as under /home."""
    for parent in [tmp_path, *tmp_path.parents]:
        if parent != Path("/") and not parent.stat().st_mode & stat.S_IXOTH:
            parent.chmod(parent.stat().st_mode | stat.S_IXOTH)
    own, volume = tmp_path / "home", tmp_path / "volume"
    own.mkdir(mode=0o755)
    volume.mkdir(mode=0o755)
    return own, volume


def home(folder: Path, owner: int, **files: str) -> Path:
    """A user's home with files, by path; double underscores stand for slashes, and a key's file is named `keys`."""
    folder.mkdir(mode=0o700)
    for name, text in files.items():
        path = folder / (".ssh/authorized_keys" if name == "keys" else name.replace("__", "/"))
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_text(text)
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, owner, owner)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_new_volume_gets_everything_and_looks_like_the_home(script: ModuleType, homes: tuple[Path, Path]) -> None:
    own, volume = homes
    own.chmod(0o751)
    (volume / "lost+found").mkdir()
    (home(own / "bob", BOB, a__b="deep", keys=NEW) / "link").symlink_to("a")
    (own / "bob/a/b").chmod(0o640)
    assert list(script.carry(str(own), str(volume))) == [str(own / "bob")]
    assert contents(volume) == {"bob/.ssh/authorized_keys": NEW, "bob/a/b": "deep"}
    made = (volume / "bob/a/b").stat()
    assert (made.st_uid, made.st_gid, stat.S_IMODE(made.st_mode)) == (BOB, BOB, 0o640)
    assert os.readlink(volume / "bob/link") == "a"
    assert stat.S_IMODE(volume.stat().st_mode) == 0o751


def test_what_the_volume_has_stays_and_keys_come_together(script: ModuleType, homes: tuple[Path, Path]) -> None:
    own, volume = homes
    home(own / "bob", BOB, both="new", only__new="new", keys=f"# a comment\n{NEW}\n\n{OLD}\n", cache__x="")
    (own / "bob/cache").rename(own / "bob/.cache")
    home(volume / "bob", BOB, both="old", only_old="old", keys=OLD)  # without an end of line
    home(volume / "eve", EVE, file="old")
    dry = list(script.carry(str(own), str(volume), dry=True))
    assert contents(volume)["bob/.ssh/authorized_keys"] == OLD
    assert list(script.carry(str(own), str(volume))) == dry
    assert sorted(dry) == [f"{own}/bob/{path}" for path in (".ssh/authorized_keys (1 keys)", "only", "only/new")]
    assert contents(volume) == {"bob/both": "old", "bob/only_old": "old", "bob/only/new": "new", "eve/file": "old",
                                "bob/.ssh/authorized_keys": f"{OLD}\n{NEW}\n"}
    assert list(script.carry(str(own), str(volume))) == []


def test_what_a_killed_run_left_is_replaced(script: ModuleType, homes: tuple[Path, Path]) -> None:
    own, volume = homes
    home(own / "bob", BOB, new="whole")
    home(own / "eve", EVE, new="whole")
    home(volume / "bob", BOB)
    (volume / "bob/.eocluster-part").write_text("who")
    os.chown(volume / "bob/.eocluster-part", BOB, BOB)
    home(volume / ".eocluster-part", EVE, new="who")
    list(script.carry(str(own), str(volume)))
    assert contents(volume) == {"bob/new": "whole", "eve/new": "whole"}


def test_links_on_the_volume_are_not_followed(script: ModuleType, homes: tuple[Path, Path], tmp_path: Path) -> None:
    own, volume = homes
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    home(own / "bob", BOB, settings__file="new")
    (home(volume / "bob", BOB) / "settings").symlink_to(elsewhere)
    assert list(script.carry(str(own), str(volume))) == []
    assert contents(elsewhere) == {}


@pytest.mark.parametrize(("harm", "told"), [
    (lambda bob: os.chown(bob, EVE, EVE), "belongs to user number 4001 here, and to 4002 on the volume"),
    (lambda bob: bob.chmod(0o775), "bob on the volume may be written by others than its user"),
    (lambda bob: os.chown(bob / ".ssh", EVE, EVE), ".ssh on the volume may be written by others than its user"),
    (lambda bob: (bob / ".ssh").rename(bob / "x").parent.joinpath(".ssh").symlink_to("x"),
     ".ssh is a symbolic link on the volume"),
    (lambda bob: bob.rename(bob.parent / "x").with_name("bob").write_text(""),
     "bob is a folder here, and none on the volume"),
])
def test_a_home_that_would_let_nobody_in_is_told(script: ModuleType, homes: tuple[Path, Path], harm: object,
                                                 told: str) -> None:
    own, volume = homes
    home(own / "bob", BOB, keys=NEW)
    bob = home(volume / "bob", BOB, keys=OLD)
    assert list(script.faults(str(own), str(volume))) == []
    assert callable(harm)
    harm(bob)
    found = list(script.faults(str(own), str(volume)))
    assert len(found) == 1
    assert found[0].endswith(told)
