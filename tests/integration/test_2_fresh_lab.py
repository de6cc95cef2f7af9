"""The lab as lab_up leaves it: bare machines, a filled store that they do not see, and a dry run of site.yml."""

import pytest
from labkit import (
    ARCHIVE,
    BUCKET,
    INVENTORY,
    LAB,
    MASTER,
    PREFIX,
    STORE,
    WORKERS,
    held,
    molecule,
    playbook,
    products,
    remote,
)

REACH = "python3 -c 'import socket; socket.create_connection((\"{}\", {}), 3)'"


@pytest.fixture(autouse=True)
def fresh(lab):
    """These tests need a lab that site.yml has not touched."""
    if not lab.fresh:
        pytest.skip("EOCLUSTER_KEEP_LAB: the lab stood already")


def files_of_nodes() -> dict[str, str]:
    """What a dry run could have changed on each node: files of /etc and the home, packages, running services."""
    look = ("find /etc /home -xdev -newermt '1 day ago' -type f -printf '%p %s %T@\\n' | grep -v ' /etc/resolv' | sort;"
            " dpkg-query --show; systemctl list-units --type=service --state=running --plain --no-legend")
    return {node: remote(node, look, user="root").ok().output for node in [MASTER, *WORKERS]}


def test_lab_up_again_changes_nothing():
    assert set(playbook("lab_up").ok().changed().values()) == {0}


def test_archive_again_changes_nothing():
    assert set(playbook("lab_archive").ok().changed().values()) == {0}


def test_what_stands_bears_the_labs_name():
    kinds = sorted(line.split()[0] for line in held(f"{LAB}-"))
    assert kinds == ["container"] * (len(WORKERS) + 2) + ["network"] * 2 + ["secret"] + ["volume"] * 2


def test_store_holds_the_archive(store):
    pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=PREFIX)
    sizes = {item["Key"]: item["Size"] for page in pages for item in page["Contents"] if not item["Key"].endswith("/")}
    local = {str(path.relative_to(ARCHIVE)): path.stat().st_size
             for name in products() for path in (ARCHIVE / PREFIX / f"{name}.SAFE").rglob("*") if path.is_file()}
    assert sizes == local


@pytest.mark.parametrize("node", [MASTER, *WORKERS])
def test_node_does_not_see_the_store(node, store):
    endpoint = store.client.meta.endpoint_url.removeprefix("http://").split(":")
    assert store.answers()
    assert remote(node, REACH.format(*endpoint)).code != 0
    assert remote(node, "ip -brief link").ok().output.count("eth") == 1


def test_store_opens_nothing_but_ssh_and_s3():
    sockets = remote(STORE, "ss --listening --tcp --numeric --no-header").ok().output.splitlines()
    places = [line.split()[3].rsplit(":", 1) for line in sockets]
    opened = {int(port) for address, port in places if not address.startswith("127.")}
    assert opened == {22, 8333, 18333}  # the last is S3's gRPC, which SeaweedFS binds where it binds S3


def test_keys_are_private():
    modes = {name: oct((INVENTORY / name).stat().st_mode & 0o777)
             for name in ("hosts.yml", ".lab", ".lab/id_ed25519", ".lab/s3.json")}
    assert modes == {"hosts.yml": "0o600", ".lab": "0o700", ".lab/id_ed25519": "0o600", ".lab/s3.json": "0o600"}


def test_dry_run_of_site():
    before = files_of_nodes()
    molecule("check").ok()
    assert files_of_nodes() == before
