"""Why there is no way to the cloud, and what to do."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.cloud_errors import CONNECTION_ERRORS, explain, said_by, status_of
from ansible.module_utils.cloud_plan_faults import Faults

PLACES = "./clouds.yaml, ~/.config/openstack/clouds.yaml, /etc/openstack/clouds.yaml, or the file that the" \
    " environment variable OS_CLIENT_CONFIG_FILE names"


def clouds_known() -> list[str]:
    """The clouds that clouds.yaml has, without the credentials."""
    try:
        from openstack.config import OpenStackConfig
        names = OpenStackConfig(load_envvars=False, config_files=config_files()).get_cloud_names()
    except Exception:  # whatever is wrong with the files, the fault that led here is what has to be told
        return []
    return sorted(name for name in names if name != "defaults")


def config_files() -> list[str] | None:
    """The file that the environment names; None means the usual places."""
    named = os.environ.get("OS_CLIENT_CONFIG_FILE")
    return [named] if named else None


def connection_fault(error: Exception, cloud: Any, faults: Faults) -> None:
    """A fault for a connection that does not come to be."""
    name = f"'{cloud}'" if isinstance(cloud, str) else "The cloud" if cloud else "No cloud is named. It"
    words = said_by(error)
    if isinstance(cloud, str) and "was not found" in words:
        known = clouds_known()
        there = f"There are: {', '.join(known)}. Remedy: give one of these, or" if known else "Remedy:"
        text = f"{name} is in no clouds.yaml. {there} put the file that the provider's dashboard offers (API Access)" \
               f" into one of: {PLACES}."
    elif isinstance(error, CONNECTION_ERRORS):
        text = f"{name} does not answer: {words}. Remedy: check auth_url in clouds.yaml and the way to it (VPN," \
               " proxy); see whether the provider reports a fault."
    elif status_of(error) in (401, 404):  # Keystone does not find an application credential that was deleted
        text = f"{name} refuses the credentials: {words}. Remedy: an application credential may have expired or been" \
               " deleted: make a new one in the dashboard (Identity, Application Credentials) and put its id and" \
               " secret into clouds.yaml; for a password, check it and the project's and the domains' names; check" \
               f" auth_url. It is read from: {PLACES}."
    elif not status_of(error):
        text = f"{name} cannot be reached with these settings: {words.rstrip('.')}. Remedy: compare clouds.yaml with" \
               f" the one that the provider's dashboard offers (API Access). It is read from: {PLACES}."
    else:
        text = f"{name}: {explain(error, 'NAME')}"
    faults.error("cloud", text)
