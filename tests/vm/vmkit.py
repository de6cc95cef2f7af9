"""Virtual machines for the tests: one image of the host's own release, machines that boot it, and Ansible on them."""

import functools
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache/vm"
USER = "clouduser"
UID = 1000
MASTER = "vm-master001"
WORKER = "vm-worker001"
# The network that joins the machines. The other one is qemu's own, for ssh and apt: there each machine has the same
# address, and the default route.
CLUSTER = "192.168.77.0/24"
ADDRESSES = {MASTER: "192.168.77.10", WORKER: "192.168.77.11"}

# Disks of the master beside the one that it boots from, by serial number, which OpenStack makes of a volume's ID: one
# that was never used, one of an earlier cluster, and one that is somebody else's.
BLANK, EARLIER, FOREIGN = "5f0c8a1e-3b7d-4c52-9", "c1d94b62-08ef-4a07-b", "e7a3502d-96c4-41b8-8"
EARLIER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEarlierClusterEarlierClusterEarlierClusterEar earlier"

_NEEDED = {"qemu-system-x86_64": "qemu-system-x86", "mmdebstrap": "mmdebstrap", "mkfs.ext4": "e2fsprogs",
           "ssh-keygen": "openssh-client", "ssh": "openssh-client"}
_PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin:/sbin"
_TCG = "tcg,tb-size=256"  # MB of translated code, of which qemu would take 1 GB
_CPU = {"kvm": "max", _TCG: "Nehalem"}  # what newer ones have more, TCG only emulates, a fifth slower
_LONGEST = 900  # s, after which a command is taken to hang; without KVM a machine is some ten times slower
_TAIL = 80      # lines of a failed command's output to show
_PACKAGES = ["systemd", "systemd-sysv", "dbus", "udev", "openssh-server", "python3", "python3-apt", "sudo", "iproute2",
             "procps", "ca-certificates", "dbus-user-session", "libpam-systemd"]
_FILES = {
    "/etc/systemd/network/10-user.network": "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n",
    "/etc/resolv.conf": "nameserver 10.0.2.3\n",
    f"/etc/sudoers.d/{USER}": f"{USER} ALL=(ALL) NOPASSWD: ALL\n",
    "/etc/hosts": "127.0.0.1 localhost\n" + "".join(f"{ip} {name}\n" for name, ip in ADDRESSES.items()),
    **{f"/etc/systemd/network/20-{name}.network":
       f"[Match]\nName=eth1\nHost={name}\n[Network]\nAddress={ip}/24\nIPv6AcceptRA=no\nLinkLocalAddressing=no\n"
       for name, ip in ADDRESSES.items()},
}


class Ran(NamedTuple):
    """A command that has ended: what it was, its exit code, and standard output and error as they came."""

    command: str
    code: int
    output: str

    def ok(self) -> "Ran":
        """Itself, when it succeeded; an AssertionError with the end of its output otherwise."""
        assert self.code == 0, f"exit code {self.code} from {self.command}\n" + self.tail()
        return self

    def tail(self) -> str:
        """The end of its output, which names what failed."""
        return "\n".join(self.output.splitlines()[-_TAIL:])

    def words(self) -> str:
        """Its output with line breaks undone, to look for sentences in."""
        return " ".join(self.output.split())

    def changed(self) -> dict[str, int]:
        """Ansible's recap: the number of changed tasks by host."""
        return {host: int(count) for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", self.output, re.M)}


def run(command: Sequence[str | Path], env: dict[str, str] | None = None, longest: float = _LONGEST) -> Ran:
    """Run a command of the workstation; never raises for its exit code."""
    words = [str(word) for word in command]
    ended = subprocess.run(words, cwd=ROOT, env={**os.environ, "PATH": _PATH, **(env or {})}, text=True,
                           timeout=longest, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return Ran(shlex.join(words), ended.returncode, ended.stdout)


def until(condition: Callable[[], bool], what: str, longest: float = 300) -> None:
    """Poll until `condition` holds; an AssertionError that says `what` never came otherwise."""
    deadline = time.monotonic() + longest
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {longest:.0f} s"
        time.sleep(0.5)


def missing() -> str:
    """What the host lacks for the tests, with the remedy; nothing when it has all."""
    if platform.machine() != "x86_64":
        return f"the machines are x86_64, and this host is {platform.machine()}. Remedy: run the tests on x86_64."
    needed = _NEEDED | ({} if os.geteuid() == 0 else {"fakeroot": "fakeroot"})
    lacking = {command: package for command, package in needed.items() if not shutil.which(command, path=_PATH)}
    if not lacking:
        return ""
    barred = [command for command in lacking if shutil.which(command, mode=os.F_OK, path=_PATH)]
    if barred:
        return (f"{', '.join(barred)} is installed, and somebody has made it not executable. Remedy: ask who keeps this"
                " host whether virtual machines may run on it.")
    return (f"this host has no {', '.join(lacking)}. Remedy:"
            f" sudo apt-get install --no-install-recommends {' '.join(sorted(set(lacking.values())))}")


# --- the image --------------------------------------------------------------------------------------------------------

class Image(NamedTuple):
    """What a machine boots from, the key that opens it, and the key that it shows."""

    disk: Path
    kernel: Path
    initrd: Path
    key: Path
    host_key: str


def _sources() -> tuple[str, str, list[str], list[str]]:
    """The host's distribution, release, apt sources and apt settings (proxies and the like), as the lab takes them."""
    release = platform.freedesktop_os_release()
    sources = run(["apt-get", "indextargets", "--format", "deb $(REPO_URI) $(RELEASE) $(COMPONENT)",
                   "Created-By: Packages", f"Origin: {release['ID'].capitalize()}"]).ok().output
    settings = run(["apt-config", "dump", "Acquire"]).ok().output
    wanted = re.compile(r'^(Acquire::(?:https?::|Check-|Retries|ForceIPv).*(?<! ""));$', re.M)
    return (release["ID"], release["VERSION_CODENAME"], list(dict.fromkeys(sources.splitlines())),
            wanted.findall(settings))


def _key() -> Path:
    key = CACHE / "key"
    if not key.exists():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "eocluster-vm", "-f", key]).ok()
    return key


def image() -> Image:
    """The image, from the cache or built: a bootstrapped system as a file system, with its kernel beside it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    key = _key()
    distribution, suite, mirrors, settings = _sources()
    kernel = "linux-image-cloud-amd64" if distribution == "debian" else "linux-image-virtual"
    public = key.with_suffix(".pub").read_text()
    recipe = [2, suite, mirrors, settings, kernel, _PACKAGES, _FILES, public]
    folder = CACHE / f"{suite}-{hashlib.sha256(json.dumps(recipe).encode()).hexdigest()[:12]}"
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            _build(Path(scratch), suite, mirrors, settings, [kernel, *_PACKAGES], public)
            Path(scratch, "whole").rename(folder)
    return Image(folder / "disk.ext4", folder / "vmlinuz", folder / "initrd.img", key,
                 " ".join((folder / "ssh_host_ed25519_key.pub").read_text().split()[:2]))


def _build(scratch: Path, suite: str, mirrors: list[str], settings: list[str], packages: list[str],
           public: str) -> None:
    tree, whole, tar = scratch / "tree", scratch / "whole", scratch / "system.tar"
    whole.mkdir()
    home = f"$1/home/{USER}"
    # An initial RAM disk of what these machines boot from, no more: and the disk is there before udev has woken up.
    before = [
        'mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"',
        'echo MODULES=list > "$1/etc/initramfs-tools/conf.d/eocluster"',
        'printf "virtio_pci\\nvirtio_blk\\next4\\n" > "$1/usr/share/initramfs-tools/modules.d/eocluster"',
    ]
    hooks = [
        '[ ! -d /usr/local/share/ca-certificates ] || { cp -R /usr/local/share/ca-certificates "$1/usr/local/share/"'
        ' && chroot "$1" update-ca-certificates; }',
        f'chroot "$1" useradd --create-home --shell /bin/bash --uid {UID} {USER}',
        f'install -d -m 0700 -o {UID} -g {UID} "{home}/.ssh"',
        f'echo {shlex.quote(public.strip())} > "{home}/.ssh/authorized_keys"',
        f'chown {UID}:{UID} "{home}/.ssh/authorized_keys"',
        ': > "$1/etc/machine-id"',
        'chroot "$1" systemctl enable systemd-networkd',
        'chroot "$1" systemctl mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service',
        *(f'rm -f "$1{path}" && printf %s {shlex.quote(text)} > "$1{path}"' for path, text in _FILES.items()),
    ]
    run(["mmdebstrap", "--variant=apt", "--format=tar", "--skip=cleanup/apt/lists", f"--include={','.join(packages)}",
         *(f"--aptopt={setting}" for setting in settings), *(f"--essential-hook={hook}" for hook in before),
         *(f"--customize-hook={hook}" for hook in hooks),
         suite, tar, *mirrors]).ok()
    # Owners and modes are kept by root, or by fakeroot for anybody else.
    steps = f"""
        mkdir {tree}
        tar --extract --numeric-owner --preserve-permissions --exclude='./dev/*' --file {tar} --directory {tree}
        cp -L {tree}/vmlinuz {whole}/vmlinuz && cp -L {tree}/initrd.img {whole}/initrd.img
        cp {tree}/etc/ssh/ssh_host_ed25519_key.pub {whole}/
        mkfs.ext4 -q -L root -d {tree} {whole}/disk.ext4 3G
        rm -rf {tree}"""
    run([*([] if os.geteuid() == 0 else ["fakeroot"]), "sh", "-euc", steps]).ok()


# --- the machines -----------------------------------------------------------------------------------------------------

@functools.cache
def accelerator(kernel: Path) -> str:
    """`kvm` where a kernel really runs with it, else TCG: a /dev/kvm that opens may still run nothing."""
    probe: list[str | Path] = [
        "qemu-system-x86_64", "-accel", "kvm", "-cpu", "max", "-m", "256", "-nodefaults", "-display", "none",
        "-no-reboot", "-kernel", kernel, "-append", "panic=-1"]  # without a disk it panics, which ends qemu
    try:
        return "kvm" if run(probe, longest=20).code == 0 else _TCG
    except subprocess.TimeoutExpired:
        return _TCG


def _disks(folder: Path) -> list[str]:
    """Make the master's disks; qemu's arguments that plug them in."""
    steps = f"""
        cd {shlex.quote(str(folder))}
        truncate -s 64M {BLANK} {FOREIGN} {EARLIER}
        mkdir -p earlier/{USER}/.ssh earlier/alice
        echo '# from the earlier cluster' | tee earlier/{USER}/.bashrc earlier/{USER}/results > earlier/alice/measured
        printf %s '{EARLIER_KEY}' > earlier/{USER}/.ssh/authorized_keys
        chown -R {UID}:{UID} earlier/{USER}
        chown -R 1005:1005 earlier/alice
        chmod -R go= earlier/{USER} earlier/alice
        mkfs.ext4 -q -d earlier {EARLIER} 48M  # smaller than the disk: it has grown since
        rm -rf earlier"""
    run([*([] if os.geteuid() == 0 else ["fakeroot"]), "sh", "-euc", steps]).ok()
    with (folder / FOREIGN).open("r+b") as disk:  # a master boot record with one partition of 16 MB
        disk.write(bytes(446) + struct.pack("<B3xB3xII48x", 0, 0x83, 2048, 32768) + b"\x55\xaa")
    return [argument for serial in (BLANK, EARLIER, FOREIGN) for argument in (
        "-drive", f"file={folder / serial},if=none,id=disk-{serial},format=raw,cache=unsafe",
        "-device", f"virtio-blk-pci,drive=disk-{serial},serial={serial}")]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Machine:
    """A machine that runs; what it writes to its disk is gone when it stops."""

    def __init__(self, name: str, number: int, image: Image, link: socket.socket, folder: Path,
                 disks: Sequence[str] = ()) -> None:
        self.name, self.port = name, _free_port()
        self.console = folder / f"{name}.console"
        self._ssh = ["ssh", "-p", str(self.port), "-i", str(image.key), "-o", "BatchMode=yes",
                     "-o", "ConnectTimeout=10", "-o", "ServerAliveInterval=15",
                     "-o", f"ControlPath={folder / name}.ssh",
                     "-o", f"UserKnownHostsFile={folder / 'known_hosts'}"]
        with (folder / "known_hosts").open("a") as known:
            known.write(f"[127.0.0.1]:{self.port} {image.host_key}\n")
        how = accelerator(image.kernel)
        self._qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-name", name, "-accel", how, "-cpu", _CPU[how], "-m", "512",
             "-nodefaults", "-display", "none", "-serial", f"file:{self.console}", "-device", "virtio-rng-pci",
             "-drive", f"file={image.disk},if=none,id=root,format=raw,snapshot=on",
             "-device", "virtio-blk-pci,drive=root", *disks,
             "-kernel", image.kernel, "-initrd", image.initrd, "-append",
             # norandmaps: TCG finds more of what it has translated. The timeout is for a host that is busy.
             f"root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off norandmaps quiet"
             f" systemd.default_timeout_start_sec=600 systemd.hostname={name}",
             "-netdev", f"user,id=user,hostfwd=tcp:127.0.0.1:{self.port}-:22",
             "-device", f"virtio-net-pci,netdev=user,mac=52:54:00:77:00:{number:02x}",
             "-netdev", f"socket,id=cluster,fd={link.fileno()}",
             "-device", f"virtio-net-pci,netdev=cluster,mac=52:54:00:77:01:{number:02x}"],
            pass_fds=[link.fileno()], env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.DEVNULL,
            stdout=(folder / f"{name}.qemu").open("w"), stderr=subprocess.STDOUT)

    def sh(self, command: str, root: bool = False, longest: float = 300) -> Ran:
        """Run a shell command there, as USER or as root, over a connection that is kept."""
        line = shlex.join([*(["sudo"] if root else []), "bash", "-c", command])
        kept = ["-o", "ControlMaster=auto", "-o", "ControlPersist=300"]
        return run([*self._ssh, *kept, f"{USER}@127.0.0.1", line], longest=longest)

    def root(self, command: str, longest: float = 300) -> Ran:
        """Run a shell command there as root."""
        return self.sh(command, root=True, longest=longest)

    def boot_id(self) -> str:
        """What differs after each boot, from a login of its own; nothing while the machine lets nobody in."""
        seen = run([*self._ssh, "-o", "ControlPath=none", f"{USER}@127.0.0.1",
                    "cat /proc/sys/kernel/random/boot_id"], longest=60)
        return seen.output.strip() if seen.code == 0 else ""

    def await_boot(self, before: str = "", longest: float = 600) -> None:
        """Wait until it is up and lets USER in, and is not in the boot that was `before`."""
        def up() -> bool:
            assert self._qemu.poll() is None, f"{self.name} has ended; see {self.console.parent}"
            return self.boot_id() not in ("", before)
        until(up, f"{self.name} ({self.console})", longest)

    def reboot(self) -> str:
        """Have it start again, and not wait; what boot_id was before."""
        before = self.boot_id()
        self.root("(sleep 1; systemctl --no-block reboot) >/dev/null 2>&1 &")
        self._disconnect()
        return before

    def cut_power(self) -> str:
        """Have it start again as after a power failure, and not wait; what boot_id was before."""
        before = self.boot_id()
        self.root("sync -f /; (sleep 1; echo b > /proc/sysrq-trigger) >/dev/null 2>&1 &")
        self._disconnect()
        return before

    def _disconnect(self) -> None:
        """End the connection that is kept: one to a machine without power would hang."""
        run([*self._ssh, "-O", "exit", f"{USER}@127.0.0.1"])

    def stop(self) -> None:
        """End it at once."""
        self._qemu.terminate()
        self._qemu.wait(30)


class Machines:
    """A master and a worker, each with qemu's own network and one that joins the two; and Ansible on them."""

    def __init__(self, image: Image, folder: Path) -> None:
        self.folder, self.key = folder, image.key
        self._running: list[Machine] = []
        links = socket.socketpair()
        try:
            for number, (name, link) in enumerate(zip(ADDRESSES, links, strict=True), 1):
                disks = _disks(folder) if name == MASTER else []
                self._running.append(Machine(name, number, image, link, folder, disks))
        finally:
            for link in links:
                link.close()
        self.master, self.worker = self._running
        hosts = {machine.name: {"ansible_port": machine.port} for machine in self._running}
        inventory = {"all": {
            "vars": {"ansible_host": "127.0.0.1", "ansible_user": USER, "ansible_ssh_private_key_file": str(image.key),
                     "ansible_ssh_common_args": f"-o UserKnownHostsFile={folder / 'known_hosts'} -o IdentitiesOnly=yes",
                     "home_share_type": "nfs", "home_share_address": ADDRESSES[MASTER]},
            "children": {"slurm_master": {"hosts": {MASTER: hosts[MASTER]}},
                         "slurm_worker": {"hosts": {WORKER: hosts[WORKER]}}}}}
        (folder / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def share(self, *arguments: str, **variables: Any) -> Ran:
        """Apply the role to both machines; keywords become extra variables."""
        given = ["-e", json.dumps(variables)] if variables else []
        return self.ansible("ansible-playbook", *given, *arguments, str(Path(__file__).parent / "share.yml"))

    def as_user(self, machine: Machine, user: str) -> list[str]:
        """Arguments by which Ansible connects to one of the machines as another user."""
        path = self.folder / "as_user.yml"
        path.write_text(yaml.safe_dump({"all": {"hosts": {machine.name: {"ansible_user": user}}}}))
        return ["-i", str(path)]

    def ansible(self, command: str, *arguments: str) -> Ran:
        """Run a command of Ansible's with these machines' inventory."""
        env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1",
               "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(self.folder / "facts"),  # they take long, and do not change here
               "ANSIBLE_TIMEOUT": "60", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.folder / "cp")}
        ran = run([command, "-i", self.folder / "hosts.yml", *arguments], env)
        with (self.folder / "ansible.log").open("a") as log:
            log.write(f"$ {ran.command}\n{ran.output}\n")
        return ran

    def stop(self) -> None:
        """End both."""
        for machine in self._running:
            machine.stop()
