"""The role home_share with type nfs, on two machines with their own kernels. The tests' order is the machines' life."""

import re

import pytest
from vmkit import (
    ADDRESSES,
    BLANK,
    CLUSTER,
    EARLIER,
    EARLIER_KEY,
    FOREIGN,
    MASTER,
    UID,
    USER,
    WORKER,
    Machine,
    Machines,
    until,
)

EXPORTS = "/etc/exports.d/eocluster.exports"
SOURCE = f"{ADDRESSES[MASTER]}:/home"


def mounted(machine: Machine) -> str:
    """What is mounted at /home, with its kind; nothing when /home is a folder of the root."""
    return machine.root("findmnt --noheadings --raw --output FSTYPE,SOURCE --mountpoint /home").output.strip()


def volume(serial: str) -> str:
    """How a volume of OpenStack is named to the role."""
    return f"/dev/disk/by-id/*{serial}*"


def on_volume(machine: Machine) -> str:
    """The serial number of the disk that is mounted at /home."""
    return machine.root("lsblk --nodeps --noheadings --output SERIAL $(findmnt --noheadings --output SOURCE"
                        " --mountpoint /home)").ok().output.strip()


def state(machine: Machine) -> list[str]:
    """All that the role may change on a machine; in one stream: ssh carries errors beside output, in any order."""
    return machine.root(f"{{ cat /etc/fstab {EXPORTS} /etc/exports; findmnt --raw --mountpoint /home;"
                        " dpkg-query --show 'nfs-*'; find /home /run/eocluster* -maxdepth 1;"
                        " for disk in /dev/vd?; do blkid -p -o export $disk; done; } 2>&1").output.splitlines()


def take_away(machines: Machines) -> None:
    """Make the worker a machine without a share; the master goes on exporting."""
    machines.worker.root("umount --lazy /home; sed -i '/nfs4/d' /etc/fstab; systemctl daemon-reload").ok()
    assert mounted(machines.worker) == ""


def test_a_dry_run_on_fresh_machines_works_and_changes_nothing(machines: Machines) -> None:
    before = [state(machines.master), state(machines.worker)]
    dry = machines.share("--check", "--diff", home_share_device=volume(BLANK)).ok()
    assert min(dry.changed().values()) > 0
    early = machines.share("--check", "--limit", MASTER, home_share_device=volume("to-be-attached")).ok()
    assert "No block device is /dev/disk/by-id/*to-be-attached* yet" in early.words()
    assert [state(machines.master), state(machines.worker)] == before


def test_files_logins_and_disks_are_neither_hidden_nor_overwritten(machines: Machines) -> None:
    """All in one run: of the worker, whose address is taken for the master's (both have qemu's), and of the master."""
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
    refused = machines.share(*machines.as_user(worker, "bob"), home_share_address="10.0.2.15",
                             home_share_device=volume(FOREIGN))
    assert refused.code != 0
    for told in ("vm-worker001 has logins in /home that vm-master001 has not", "/home/bob 1002 AAAA",
                 "/home/bob 1002 home", "vm-worker001 has 8 files in its own /home", "/home/bob/measured-",
                 "vm-worker001 has something of its own to mount at /home: LABEL=data. Remedy:",
                 "home_share_address is 10.0.2.15, which is an address of vm-worker001 itself. Remedy:",
                 "of vm-master001 is in use: /dev/vdd1 part, a partition table, dos. Only a blank volume"):
        assert told in refused.words()
    assert [state(machines.master), state(worker)] == before
    worker.root("pkill -u bob; userdel --remove --force bob; rm /etc/sudoers.d/bob;"
                " sed -i /LABEL=data/d /etc/fstab").ok()


def test_an_address_that_the_master_has_not_is_told(machines: Machines) -> None:
    refused = machines.share(home_share_address="198.51.100.7")
    assert refused.code != 0
    assert "home_share_address is 198.51.100.7, which is no address of vm-master001; it has" in refused.words()


@pytest.mark.parametrize(("device", "told"), [
    ("/dev/vd[bc]", "on vm-master001 that is /dev/vdb and /dev/vdc; it has /dev/vda"),
    ("/dev/disk/by-id/*nowhere*", "that is no block device, also after 2 s; it has /dev/vda"),
    ("/dev/vda", "of vm-master001 is in use: mounted at /. Only a blank volume"),
])
def test_a_device_that_is_not_one_volume_is_told(machines: Machines, device: str, told: str) -> None:
    before = state(machines.master)
    refused = machines.share("--limit", MASTER, home_share_device=device, home_share__patience=2)
    assert refused.code != 0
    assert told in refused.words()
    assert state(machines.master) == before


def test_the_first_run_makes_one_home_on_a_blank_volume(machines: Machines) -> None:
    machines.master.sh("echo kept > ~/kept && chmod 0640 ~/kept").ok()
    ran = machines.share(home_share_device=volume(BLANK)).ok()
    assert min(ran.changed().values()) > 0
    assert on_volume(machines.master) == BLANK
    assert mounted(machines.worker) == f"nfs4 {SOURCE}"
    assert machines.worker.sh("cat ~/kept; stat --format='%a %U' ~/kept").ok().output == f"kept\n640 {USER}\n"
    for write, read in ((machines.master, machines.worker), (machines.worker, machines.master)):
        write.sh("echo from $(hostname) > ~/seen && mkdir -p ~/folder && touch ~/folder/$(hostname)").ok()
        assert read.sh("cat ~/seen; stat --format='%u %U' ~/seen").ok().output == f"from {write.name}\n{UID} {USER}\n"
    assert machines.worker.sh("ls ~/folder").ok().output.split() == [MASTER, WORKER]


def test_the_share_is_for_the_nodes_network_and_takes_no_devices_or_setuid(machines: Machines) -> None:
    exported = machines.master.root("exportfs -s").ok().output
    assert exported.startswith(f"/home  {CLUSTER}(")
    assert ",mountpoint," in exported  # never the folder under an unmounted volume
    options = machines.worker.root("findmnt --noheadings --output OPTIONS --mountpoint /home").ok().output
    assert {"rw", "hard", "nosuid", "nodev", "vers=4.2"} <= set(options.strip().split(","))


def test_ansible_goes_on_working_where_its_own_folder_is_on_the_share(machines: Machines) -> None:
    """It lays files under the connecting user's home, private to the user, and reads them there as root."""
    copy = ["ansible", WORKER, "--become", "-m", "ansible.builtin.copy", "-a"]
    machines.ansible(*copy, "content=hello dest=/etc/eocluster-test mode=0644").ok()
    machines.master.root(f"exportfs -o rw,no_subtree_check,root_squash {CLUSTER}:/home").ok()
    try:  # this is why root is not squashed
        squashed = machines.ansible(*copy, "content=bye dest=/etc/eocluster-test mode=0644")
        assert squashed.code != 0
        assert "Permission denied" in squashed.words() or "not found" in squashed.words()
    finally:
        machines.master.root("exportfs -r").ok()


@pytest.mark.parametrize("how", [(), ("--check",)])
def test_another_run_changes_nothing(machines: Machines, how: tuple[str, ...]) -> None:
    assert set(machines.share(*how, home_share_device=volume(BLANK)).ok().changed().values()) == {0}


def test_the_volume_is_not_exchanged_under_the_workers(machines: Machines) -> None:
    before = state(machines.master)
    refused = machines.share("--limit", MASTER, home_share_device=volume(EARLIER))
    assert refused.code != 0
    assert "vm-master001 has something else to mount at /home: UUID=" in refused.words()
    assert f"{ADDRESSES[WORKER]} have mounted the /home that vm-master001 has now" in refused.words()
    assert state(machines.master) == before


def test_all_is_back_after_both_start_again_the_worker_first(machines: Machines) -> None:
    """The master's volume, its export, the worker's mount; until then the worker lets no user in and runs no job."""
    master, worker = machines.master, machines.worker
    worker.root("printf '[Service]\nExecStart=sleep infinity\n[Install]\nWantedBy=multi-user.target\n'"
                " > /etc/systemd/system/slurmd.service && systemctl enable slurmd").ok()
    started = worker.cut_power()
    master.root("systemctl stop nfs-server").ok()
    until(lambda: "System is booting up" in worker.sh("true").output, "a worker that waits", 600)
    master.await_boot(master.reboot())
    assert on_volume(master) == BLANK
    worker.await_boot(started)
    assert mounted(worker) == f"nfs4 {SOURCE}"
    until(lambda: worker.root("systemctl is-active slurmd").output.strip() == "active", "slurmd")
    order = worker.root("systemctl show slurmd --property Requires,After,ActiveEnterTimestampMonotonic"
                        " && systemctl show home.mount --property ActiveEnterTimestampMonotonic").ok().output
    assert order.count("home.mount") == 2
    slurmd, home = re.findall(r"Monotonic=(\d+)", order)
    assert int(slurmd) >= int(home)
    assert worker.sh("cat ~/seen").ok().output == f"from {WORKER}\n"


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


def test_a_whole_run_mends_that_and_takes_the_volume_of_an_earlier_cluster(machines: Machines) -> None:
    """As for a master made anew: its own home has a key that the volume's has not, and the other way round."""
    master, worker = machines.master, machines.worker
    master.root("systemctl stop nfs-server && umount --lazy /home && sed -i '/ [/]home /d' /etc/fstab"
                " && systemctl daemon-reload && mkdir /run/eocluster-volume").ok()  # the folder is of a killed run
    master.sh("echo new > ~/new").ok()
    machines.share(home_share_device=volume(EARLIER)).ok()
    assert on_volume(master) == EARLIER
    assert mounted(worker) == f"nfs4 {SOURCE}"
    for machine in (master, worker):
        assert machine.sh("cat ~/new ~/results ~/.bashrc").ok().output == "new\n" + 2 * "# from the earlier cluster\n"
    keys = master.sh("cat ~/.ssh/authorized_keys").ok().output.splitlines()
    assert keys == [EARLIER_KEY, (machines.key.with_suffix(".pub")).read_text().strip()]
    assert master.root("cat /home/alice/measured; stat --format=%u /home/alice").ok().output == (
        "# from the earlier cluster\n1005\n")
    assert int(master.root("df --output=size --block-size=1M /home | tail -1").ok().output) > 50  # of 48 MB, on 64
    assert "No such file" in master.root("ls -d /run/eocluster-volume").output
    again = machines.share("--limit", MASTER, home_share_device=volume(EARLIER)).ok()
    assert set(again.changed().values()) == {0}


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
