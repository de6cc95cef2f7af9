"""The role home_share with type nfs, on two machines with their own kernels. The tests' order is the machines' life."""

import pytest
from vmkit import ADDRESSES, CLUSTER, MASTER, UID, USER, WORKER, Machine, Machines, until

EXPORTS = "/etc/exports.d/eocluster.exports"
SOURCE = f"{ADDRESSES[MASTER]}:/home"


def mounted(machine: Machine) -> str:
    """What is mounted at /home, with its kind; nothing when /home is a folder of the root."""
    return machine.root("findmnt --noheadings --raw --output FSTYPE,SOURCE --mountpoint /home").output.strip()


def state(machine: Machine) -> str:
    """All that the role may change on a machine."""
    return machine.root(f"cat /etc/fstab {EXPORTS} /etc/exports; findmnt --raw --mountpoint /home;"
                        " dpkg-query --show 'nfs-*'; find /home /run/eocluster* -maxdepth 1").output


def take_away(machines: Machines) -> None:
    """Make the worker a machine without a share; the master goes on exporting."""
    machines.worker.root("umount --lazy /home; sed -i '/nfs4/d' /etc/fstab; systemctl daemon-reload").ok()
    assert mounted(machines.worker) == ""


def test_a_dry_run_on_fresh_machines_works_and_changes_nothing(machines: Machines) -> None:
    before = [state(machines.master), state(machines.worker)]
    dry = machines.share("--check", "--diff").ok()
    assert min(dry.changed().values()) > 0
    assert [state(machines.master), state(machines.worker)] == before


def test_files_logins_and_disks_of_the_worker_are_not_hidden(machines: Machines) -> None:
    worker = machines.worker
    worker.root(f"""
        useradd --create-home --uid 1002 --shell /bin/bash bob
        cp -r /home/{USER}/.ssh /home/bob/ && chown -R bob: /home/bob
        echo 'bob ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/bob
        runuser -u bob -- sh -c 'for i in 1 2 3 4 5 6 7; do echo $i > ~/measured-$i; done'
        runuser -u bob -- sh -c 'echo alias ll=ls >> ~/.bashrc'
        echo 'LABEL=data /home ext4 noauto 0 0' >> /etc/fstab
        """).ok()
    before = [state(machines.master), state(worker)]
    refused = machines.share(*machines.as_user(worker, "bob"))
    assert refused.code != 0
    for told in ("vm-worker001 has logins in /home that vm-master001 has not", "/home/bob 1002 AAAA",
                 "/home/bob 1002 home", "vm-worker001 has 8 files in its own /home", "/home/bob/measured-",
                 "vm-worker001 has something of its own to mount at /home: LABEL=data. Remedy:"):
        assert told in refused.words()
    assert [state(machines.master), state(worker)] == before
    worker.root("pkill -u bob; userdel --remove --force bob; rm /etc/sudoers.d/bob;"
                " sed -i /LABEL=data/d /etc/fstab").ok()


def test_an_address_of_the_worker_is_told(machines: Machines) -> None:
    """Qemu's own network, which has the default route, gives both machines the same address."""
    refused = machines.share("--limit", f"{MASTER},{WORKER}", home_share_address="10.0.2.15")
    assert refused.code != 0
    assert "home_share_address is 10.0.2.15, which is an address of vm-worker001 itself. Remedy:" in refused.words()


def test_an_address_that_the_master_has_not_is_told(machines: Machines) -> None:
    refused = machines.share(home_share_address="198.51.100.7")
    assert refused.code != 0
    assert "home_share_address is 198.51.100.7, which is no address of vm-master001; it has" in refused.words()
    assert mounted(machines.worker) == ""


def test_the_first_run_makes_one_home(machines: Machines) -> None:
    ran = machines.share().ok()
    assert min(ran.changed().values()) > 0
    assert mounted(machines.worker) == f"nfs4 {SOURCE}"
    assert mounted(machines.master) == ""
    for write, read in ((machines.master, machines.worker), (machines.worker, machines.master)):
        write.sh("echo from $(hostname) > ~/seen && mkdir -p ~/folder && touch ~/folder/$(hostname)").ok()
        assert read.sh("cat ~/seen; stat --format='%u %U' ~/seen").ok().output == f"from {write.name}\n{UID} {USER}\n"
    assert machines.worker.sh("ls ~/folder").ok().output.split() == [MASTER, WORKER]


def test_the_share_is_for_the_nodes_network_and_takes_no_devices_or_setuid(machines: Machines) -> None:
    assert machines.master.root("exportfs -s").ok().output.startswith(f"/home  {CLUSTER}(")
    options = machines.worker.root("findmnt --noheadings --output OPTIONS --mountpoint /home").ok().output
    assert {"rw", "hard", "nosuid", "nodev", "vers=4.2"} <= set(options.strip().split(","))


def test_ansible_goes_on_working_where_its_own_folder_is_on_the_share(machines: Machines) -> None:
    """It lays files under the connecting user's home, private to the user, and reads them there as root."""
    copy = ["ansible", WORKER, "--become", "-m", "ansible.builtin.copy", "-a"]
    machines.ansible(*copy, "content=hello dest=/etc/eocluster-test mode=0644").ok()
    machines.master.root(f"exportfs -o rw,no_subtree_check,root_squash {CLUSTER}:/home").ok()
    try:  # this is why root is not squashed
        assert machines.ansible(*copy, "content=bye dest=/etc/eocluster-test mode=0644").code != 0
    finally:
        machines.master.root("exportfs -r").ok()


@pytest.mark.parametrize("how", [(), ("--check",), ("--limit", WORKER)])
def test_another_run_changes_nothing(machines: Machines, how: tuple[str, ...]) -> None:
    assert set(machines.share(*how).ok().changed().values()) == {0}


def test_the_mount_is_back_after_a_reboot(machines: Machines) -> None:
    machines.worker.reboot()
    assert mounted(machines.worker) == f"nfs4 {SOURCE}"
    assert machines.worker.sh("cat ~/seen").ok().output == f"from {WORKER}\n"


def test_a_worker_that_starts_before_its_master_waits_for_it(machines: Machines) -> None:
    machines.master.root("systemctl stop nfs-server").ok()
    before = machines.worker.cut_power()
    until(lambda: "System is booting up" in machines.worker.sh("true").output, "a worker that starts and waits")
    machines.master.root("systemctl start nfs-server").ok()
    machines.worker.await_boot(before)
    assert mounted(machines.worker) == f"nfs4 {SOURCE}"


def test_a_master_that_cannot_be_mounted_is_told(machines: Machines) -> None:
    take_away(machines)
    before = machines.worker.root("cat /etc/fstab").ok().output
    machines.master.root("systemctl stop nfs-server").ok()
    stopped = machines.share("--limit", WORKER).words()
    assert f"{WORKER} cannot mount {SOURCE}: mount.nfs4: " in stopped
    assert f"{MASTER} answers and no NFS server runs on it" in stopped
    machines.master.root(f"systemctl start nfs-server && mv {EXPORTS} /root/ && exportfs -ra").ok()
    unexported = machines.share("--limit", WORKER).words()
    assert f"{MASTER} does not export /home to this node" in unexported
    away = machines.share("--limit", WORKER, home_share_address="192.168.77.99", home_share_network=CLUSTER).words()
    assert "let TCP port 2049 of 192.168.77.99 be reached from here" in away
    assert mounted(machines.worker) == ""
    assert machines.worker.root("cat /etc/fstab; ls -d /run/eocluster*").output.startswith(before)
    assert "cannot access" in machines.worker.root("ls -d /run/eocluster-home*").output


def test_a_whole_run_mends_a_share_that_was_taken_away(machines: Machines) -> None:
    machines.master.root("systemctl stop nfs-server").ok()
    machines.share().ok()
    assert mounted(machines.worker) == f"nfs4 {SOURCE}"


def test_a_share_that_somebody_else_made_is_left_alone(machines: Machines) -> None:
    take_away(machines)
    machines.master.root(f"rm {EXPORTS} && echo '/home {CLUSTER}(rw,no_root_squash,no_subtree_check)' >> /etc/exports"
                         " && exportfs -ra").ok()
    machines.worker.root(f"echo '{SOURCE} /home nfs4 defaults 0 0' >> /etc/fstab && systemctl daemon-reload"
                         " && mount /home").ok()
    before = [state(machines.master), state(machines.worker)]
    assert set(machines.share().ok().changed().values()) == {0}
    assert [state(machines.master), state(machines.worker)] == before


def test_a_share_of_another_home_is_left_alone_and_told(machines: Machines) -> None:
    take_away(machines)
    machines.master.root(f"cp -a /home /srv/ && echo '/srv/home {CLUSTER}(rw,no_root_squash,no_subtree_check)'"
                         " >> /etc/exports && exportfs -ra").ok()
    machines.worker.root(f"mount -t nfs4 {ADDRESSES[MASTER]}:/srv/home /home").ok()
    before = [state(machines.master), state(machines.worker)]
    told = machines.share()
    assert told.code != 0
    assert "vm-worker001 does not have the master's /home: a file that vm-master001 wrote there is" in told.words()
    assert [state(machines.master), state(machines.worker)] == before
