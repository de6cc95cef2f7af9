"""The key with which the user logs in."""

from __future__ import annotations

import base64
import binascii
import struct

from ansible.module_utils.cloud_plan_faults import Faults

KINDS = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521",
         "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
WHERE = "Remedy: the one line of the .pub file (~/.ssh/id_ed25519.pub; `ssh-keygen -t ed25519` makes one)."


def is_private(text: str) -> bool:
    """Whether it is a private key, which nobody must see."""
    return "PRIVATE KEY" in text or text.lstrip().startswith("PuTTY-User-Key-File")


def inner_kind(blob: bytes) -> str:
    """The kind of key that the key itself names; empty where it is none."""
    if len(blob) < 4:
        return ""
    (length,) = struct.unpack(">I", blob[:4])
    return blob[4:4 + length].decode("ascii", "replace") if len(blob) > 4 + length else ""


def same_key(one: str, other: str) -> bool:
    """Whether two public keys are the same, whatever their comments."""
    return one.split()[:2] == other.split()[:2]


def key_mark(text: str) -> str:
    """The comment of a public key, which is where a key pair of ours bears the mark; Nova keeps it as it was given."""
    return text.split(maxsplit=2)[2].strip() if len(text.split()) > 2 else ""


def check_public_key(text: str, faults: Faults) -> bool:
    """Whether it is one public key of OpenSSH; a fault where not. Never repeats what may be secret."""
    words = text.split()
    if not words:
        problem = f"There is no public key, and {faults.called('key_name')} is empty: nobody could log in. {WHERE}"
    elif is_private(text):
        problem = f"This is a private key (it is not repeated here). It must stay where it was. {WHERE}"
    elif len(text.strip().splitlines()) > 1:
        problem = f"It has {len(text.strip().splitlines())} lines, and a key pair holds one key. {WHERE}"
    elif words[0] not in KINDS:
        problem = f"It does not begin with a kind of key that OpenSSH knows ({', '.join(KINDS[:3])}, ...). {WHERE}"
    elif len(words) < 2:
        problem = f"It names a kind of key, {words[0]}, and no key. {WHERE}"
    else:
        try:
            kind = inner_kind(base64.b64decode(words[1], validate=True))
        except binascii.Error:
            kind = ""
        if kind == words[0]:
            return True
        problem = f"It says {words[0]}, but what follows is no whole key of that kind: cut off or changed? {WHERE}"
    faults.error("public_key", problem)
    return False
