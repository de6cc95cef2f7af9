"""Which versions of the collection openstack.cloud and of openstacksdk fit each other. Imports neither."""

from __future__ import annotations

import re

# openstack.cloud asks for openstack.version, which openstacksdk 4.15 no longer has; 2.6.0 asks differently.
LAST_BROKEN_COLLECTION = (2, 5, 0)
FIRST_BREAKING_SDK = (4, 15, 0)


def parsed(version: str) -> tuple[int, ...] | None:
    """The numbers of a version, three of them; None where it has none."""
    numbers = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?", version.strip())
    return tuple(int(number or 0) for number in numbers.groups()) if numbers else None


def version_fault(collection: str, sdk: str) -> str | None:
    """What is wrong with these two versions together, and what to do; None where nothing is, or nothing is known."""
    have, installed = parsed(collection), parsed(sdk)
    if not have or not installed or have > LAST_BROKEN_COLLECTION or installed < FIRST_BREAKING_SDK:
        return None
    return (f"openstack.cloud {collection} does not work with openstacksdk {sdk}. Remedy: pip install"
            " 'openstacksdk<4.15', or ansible-galaxy collection install 'openstack.cloud:>=2.6.0'. (The kit's own"
            " environment, made by make, has versions that fit.)")
