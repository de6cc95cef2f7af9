"""SNAP in the lab: installed by what the stand-in for ESA's installer (tests/snap_standin) does, and used by jobs.

The tests' order is the cluster's life: what goes wrong first, then 9 as the tutorial has it, then 11 and 13 over it.
`make snap-test` runs them in a lab of their own; `make test` leaves the thorough ones out.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from labkit import (
    BUCKET,
    INVENTORY,
    MASTER,
    NODES_READY,
    PREFIX,
    ROOT,
    USER,
    WORKERS,
    ObjectStore,
    Ran,
    band_file,
    nodes_seen,
    playbook,
    products,
    remote,
    until,
)

FULL = {9: "9.0.0", 11: "11.0.0", 13: "13.0.0"}
MODULE = {9: "snappy", 11: "esa_snappy", 13: "esa_snappy"}
SNAP = f"/home/{USER}/.local/share/eocluster/snap"
DOWNLOADS = f"/home/{USER}/.local/share/eocluster/downloads"
PYTHON = f"/home/{USER}/.local/share/eocluster/job-env/bin/python3"
BANDS = ("B02", "B03", "B04")
thorough = pytest.mark.thorough
GRAPH = """<graph id="test"><version>1.0</version>
<node id="read"><operator>Read</operator><sources/><parameters><file>$source</file></parameters></node>
<node id="resample"><operator>Resample</operator><sources><sourceProduct refid="read"/></sources>
  <parameters><targetResolution>60</targetResolution><downsampling>Mean</downsampling></parameters></node>
<node id="subset"><operator>Subset</operator><sources><sourceProduct refid="resample"/></sources>
  <parameters><sourceBands>B2,B3,B4</sourceBands></parameters></node>
<node id="write"><operator>Write</operator><sources><sourceProduct refid="subset"/></sources>
  <parameters><file>${target}</file><formatName>GeoTIFF</formatName></parameters></node>
</graph>"""


@pytest.fixture(scope="module")
def shelf(cluster, store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator["Shelf"]:
    """Installers, built when they are asked for, and served by the lab's store."""
    until(lambda: nodes_seen() == NODES_READY, "a cluster at rest")
    shelf = Shelf(store, tmp_path_factory.mktemp("installers"))
    yield shelf
    shelf.empty()


class Shelf:
    """A bucket of stand-ins for ESA's download server."""

    bucket = "installers"

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self.store, self.folder = store, folder
        self._known: dict[tuple[int, str], dict[str, Any]] = {}  # a presigned address is another one each time
        self.store.client.create_bucket(Bucket=self.bucket)

    def _build(self, version: int, behaviour: str) -> list[Path]:
        place = self.folder / behaviour / str(version)
        if not place.exists():
            tag = remote(MASTER, "python3 -c 'import sys; print(\"cp%d%d\" % sys.version_info[:2])'").ok().output
            bridge = ["--jpy-wheel", tag.strip()] if version < 12 else []
            subprocess.run([sys.executable, ROOT / "tests/snap_standin/build.py", str(version), place, *bridge,
                            "--python", PYTHON, "--behaviour", behaviour], check=True)
        return sorted(place.iterdir())

    def _address(self, path: Path) -> str:
        key = str(path.relative_to(self.folder))
        self.store.client.upload_file(str(path), self.bucket, key)
        return self.store.client.generate_presigned_url("get_object", Params={"Bucket": self.bucket, "Key": key},
                                                        ExpiresIn=7200)

    def settings(self, version: int, behaviour: str = "ok") -> dict[str, Any]:
        """What a user sets for this version, with the stand-in's addresses; the same each time."""
        if (version, behaviour) not in self._known:
            self._known[version, behaviour] = self._make(version, behaviour)
        return self._known[version, behaviour]

    def _make(self, version: int, behaviour: str) -> dict[str, Any]:
        files = self._build(version, behaviour)
        settings: dict[str, Any] = {"snap_version": version}
        for path in files:
            if path.suffix == ".sh":
                settings["snap_installer"] = self._address(path)
                settings["snap_installer_checksum"] = "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
            elif path.name.startswith("esa_snappy"):
                settings["snap_esa_snappy"] = self._address(path)
        if version < 12:  # the lab's Python 3.11 is newer than what SNAP carries a jpy for
            (settings["snap_jpy_wheel"],) = map(str, (p for p in files if p.name.startswith("jpy-")))
        return settings

    def empty(self) -> None:
        """Remove the bucket."""
        for item in self.store.client.list_objects_v2(Bucket=self.bucket).get("Contents", ()):
            self.store.client.delete_object(Bucket=self.bucket, Key=item["Key"])
        self.store.client.delete_bucket(Bucket=self.bucket)


def unchanged(ran: Ran) -> bool:
    """Whether a run changed nothing anywhere."""
    return set(ran.ok().changed().values()) == {0}


def source(product: str, factor: int, downsampling: str) -> np.ndarray:
    """What SNAP gives for the product's bands (band, row, column), by the facts and without the kit."""
    planes = []
    for band in BANDS:
        with rasterio.open(band_file(product, band)) as dataset:
            pixels = dataset.read(1)
        if downsampling == "Mean":
            cells = pixels.reshape(pixels.shape[0] // factor, factor, -1, factor)
            counted = np.maximum((cells > 0).sum(axis=(1, 3)), 1)
            planes.append((cells.sum(axis=(1, 3), dtype=np.uint64) // counted).astype(np.uint16))
        else:
            planes.append(pixels[::factor, ::factor])
    return np.stack(planes)


def equal_to_the_source(folder: Path, factor: int, downsampling: str, count: int) -> None:
    """Assert that the images of a job are those of its products, pixel by pixel, and lie where they should."""
    names = products()[:count]
    assert sorted(path.stem for path in folder.glob("*.tif")) == names
    for name in names:
        with rasterio.open(folder / f"{name}.tif") as image, rasterio.open(band_file(name, "B02")) as band:
            assert np.array_equal(image.read(), source(name, factor, downsampling))
            assert image.crs == band.crs
            assert image.transform == band.transform @ band.transform.scale(factor)


def run_job(tmp_path: Path, **variables: Any) -> Path:
    """Run a job and bring its results; their folder."""
    playbook("run_job", **variables).ok()
    playbook("results", job_results=tmp_path).ok()
    return tmp_path / "latest"


def imports(version: int) -> None:
    """Assert that every node imports the bridge of this version as the jobs' user."""
    module = MODULE[version]
    for node in (MASTER, *WORKERS):
        said = remote(node, f"cd /tmp && {PYTHON} -c 'import {module}; from {module} import ProductIO, GPF, HashMap;"
                            f" print({module}.__file__)'").ok().output
        assert f"/{module}/__init__.py" in said
        assert FULL[version] in remote(node, f"{SNAP}/current/bin/gpt --diag").ok().output


class TestWhatGoesWrong:
    """One clear message each, and the next run succeeds."""

    @pytest.mark.parametrize("behaviour, says, more", [
        pytest.param("fail", "exit code 1", {}, marks=thorough),
        pytest.param("hang", "did not end within 15 s (snap_install_timeout)", {"snap_install_timeout": 15},
                     marks=thorough),
        ("lie", "bin/gpt", {}),
        pytest.param("partial", "it left out the Sentinel-2 reader", {}, marks=thorough),
        pytest.param("partial-gpt", "it left out bin/gpt", {}, marks=thorough),
        pytest.param("conf-lie", "Configuration failed!", {}, marks=thorough),
    ])
    def test_an_installer_that_fails(self, shelf, behaviour, says, more):
        ran = playbook("software", "--limit", "slurm_master", **{**shelf.settings(13, behaviour), **more})
        assert ran.code != 0
        assert says in ran.words()
        assert "Remedy" in ran.words()
        assert remote(MASTER, f"test -e {SNAP}/current").code != 0

    @thorough
    def test_a_download_goes_on_where_it_was_cut_and_is_compared(self, shelf):
        """What is there already is one byte too wrong for the sum, which shows that only the rest was fetched."""
        settings = shelf.settings(13, "conf-hang")
        name = settings["snap_installer"].split("?")[0].rpartition("/")[2]
        remote(MASTER, f"mkdir -p {DOWNLOADS} && cd {DOWNLOADS} && rm -f {name} && printf X > {name}.part"
                       f" && echo '{settings['snap_installer']}' > {name}.address").ok()
        ran = playbook("software", "--limit", "slurm_master", **settings)
        assert ran.code != 0
        assert f"snap_installer_checksum says {settings['snap_installer_checksum'][7:]}. It was removed" in ran.words()
        assert remote(MASTER, f"test -e {DOWNLOADS}/{name}.part").code != 0

    def test_all_that_is_wrong_with_the_settings_is_told_before_anything_is_touched(self):
        ran = playbook("validate", snap_version=8, snap_dir="/opt", snap_toolboxes=["Sentinel-7"])
        assert ran.code != 0
        for word in ("snap_version", "snap_dir", "snap_toolboxes", "Nothing was touched"):
            assert word in ran.words()

    def test_a_job_for_an_engine_that_is_not_there(self):
        ran = playbook("run_job", job_engine="snap")
        assert ran.code != 0
        assert "engine: 'snap'" in ran.words()
        assert "use JOB_ENGINE=gdal" in ran.words()

    @thorough
    def test_a_hang_of_snappy_conf_after_its_work_does_no_harm(self, shelf):
        playbook("software", **shelf.settings(13, "conf-hang"), snap_configure_timeout=60).ok()
        imports(13)


@pytest.fixture(scope="module")
def nine(shelf) -> dict[str, Any]:
    """SNAP 9, the tutorial's."""
    settings = shelf.settings(9)
    playbook("site", **settings).ok()
    return settings


@thorough
class TestNine:
    """The tutorial's own version and script."""

    def test_every_node_imports_it(self, nine):
        imports(9)

    def test_again_changes_nothing(self, nine):
        assert unchanged(playbook("software", **nine))

    def test_the_tutorials_script_runs_as_it_is(self, nine, shelf, tmp_path):
        the_tutorials_script(tmp_path, nine, shelf.store)

    def test_the_jobs_engine_is_snap_where_snap_is(self, nine, tmp_path):
        folder = run_job(tmp_path, **nine, job_max_products=2, job_resolution=60)
        equal_to_the_source(folder, 6, "First", 2)


def the_tutorials_script(folder: Path, settings: dict[str, Any], store: ObjectStore) -> None:
    """Submit a script of the tutorial's shape and compare its images."""
    told = yaml.safe_load((INVENTORY / "hosts.yml").read_text())["all"]["vars"]
    text = (ROOT / "tests/integration/tutorial_script.py").read_text()
    for word, variable in (("ENDPOINT", "eodata_endpoint_url"), ("ACCESS_KEY", "eodata_access_key"),
                           ("SECRET_KEY", "eodata_secret_key")):
        text = text.replace(f'"{word}"', repr(told[variable]))
    script = folder / "mine.py"
    script.write_text(text)
    results = run_job(folder, **settings, job_script=str(script))
    images = sorted(results.glob("*.tif"))
    listed = store.client.list_objects(Delimiter="/", Bucket=BUCKET, Prefix=PREFIX, MaxKeys=8)["CommonPrefixes"]
    names = [item["Prefix"].removeprefix(PREFIX).removesuffix(".SAFE/") for item in listed]
    assert len(names) > len(WORKERS)
    assert [path.name.removesuffix(".tif").removesuffix(".SAFE") for path in images] == names
    for path, name in zip(images, names, strict=True):
        with rasterio.open(path) as image:
            assert np.array_equal(image.read(), source(name, 2, "First"))


@thorough
def test_eleven_over_nine(nine, shelf):
    settings = shelf.settings(11)
    playbook("software", **settings).ok()
    imports(11)
    assert unchanged(playbook("software", "--check", **settings))
    assert {FULL[9], FULL[11]} <= set(remote(MASTER, f"ls {SNAP}").ok().output.split())


@pytest.fixture(scope="module")
def thirteen(shelf) -> dict[str, Any]:
    """SNAP 13 over what is there, its modules brought up to date (which hangs in the end); the older ones go."""
    settings = {**shelf.settings(13), "snap_remove_old": True, "snap_update_modules": True}
    playbook("site", **settings).ok()
    return settings


class TestThirteen:
    """The newest, as engine of the job."""

    def test_every_node_imports_it(self, thirteen):
        imports(13)
        left = remote(MASTER, f"ls -A {SNAP}").ok().output
        assert FULL[9] not in left
        assert FULL[11] not in left

    def test_again_changes_nothing(self, thirteen):
        assert unchanged(playbook("software", **thirteen))
        assert unchanged(playbook("software", "--limit", WORKERS[0], **thirteen))

    @thorough
    def test_site_again_changes_nothing(self, thirteen):
        assert unchanged(playbook("site", **thirteen))

    def test_engine_snap(self, thirteen, tmp_path):
        folder = run_job(tmp_path, **thirteen, job_engine="snap", job_downsampling="Mean", job_max_products=2)
        equal_to_the_source(folder, 2, "Mean", 2)

    def test_a_graph(self, thirteen, tmp_path):
        (tmp_path / "mine.xml").write_text(GRAPH)
        folder = run_job(tmp_path, **thirteen, job_graph=str(tmp_path / "mine.xml"), job_max_products=2)
        equal_to_the_source(folder, 6, "Mean", 2)
        assert len(list((folder / "logs").glob("*.log"))) == 2

    def test_the_tutorials_script_runs_as_it_is(self, thirteen, shelf, tmp_path):
        the_tutorials_script(tmp_path, thirteen, shelf.store)

    def test_a_worker_without_it_is_named_before_the_job_starts(self, thirteen):
        remote(WORKERS[1], f"mount -t tmpfs none {SNAP}", user="root").ok()
        try:
            ran = playbook("run_job", **thirteen, job_engine="snap", job_resolution=10)
        finally:
            remote(WORKERS[1], f"umount {SNAP}", user="root").ok()
        assert ran.code != 0
        assert f"could not start: {WORKERS[1]}" in ran.words()


def test_removed(thirteen, shelf):
    playbook("software", **thirteen, snap_state="absent").ok()
    assert remote(MASTER, f"ls -A {SNAP} 2>/dev/null").output.strip() == ""
    assert remote(WORKERS[0], f"{PYTHON} -c 'import esa_snappy'").code != 0
