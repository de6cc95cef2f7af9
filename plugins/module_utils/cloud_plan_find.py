"""What the user's names mean in this cloud."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

from ansible.module_utils.cloud_calls import CANDIDATES_SHOWN, choose
from ansible.module_utils.cloud_errors import Problem
from ansible.module_utils.cloud_plan_faults import Faults
from ansible.module_utils.cloud_plan_look import Cloud


def find(cloud: Cloud, faults: Faults, option: str, kind: str, wanted: str, among: str,
         fits: Callable[[Any], bool] = lambda _: True) -> Any:
    """The resource that an option names, of the list `among`; None, and a fault, where it is not clear. Only those that
    fit are meant, unless what is named is another."""
    if among in cloud.unseen:
        return None
    everything = getattr(cloud, among)
    good = [one for one in everything if fits(one)]
    meant = [one for one in everything if wanted in (one.id, one.name)]
    try:
        return choose(kind, wanted, good if any(map(fits, meant)) or not meant else everything)
    except Problem as problem:
        faults.error(option, str(problem))
        return None


def find_name(faults: Faults, option: str, kind: str, wanted: str, names: list[str]) -> bool:
    """Whether the name is one of these; a fault with candidates where not. For what has no ID."""
    if wanted in names:
        return True
    near = get_close_matches(wanted, names, CANDIDATES_SHOWN, 0) or ["nothing"]
    more = f" and {len(names) - CANDIDATES_SHOWN} more" if len(names) > CANDIDATES_SHOWN else ""
    faults.error(option, f"There is no {kind} '{wanted}'. There is: {', '.join(near)}{more}. Remedy: give one of"
                 " these.")
    return False


def must_name(cloud: Cloud, faults: Faults, option: str, kind: str, among: str) -> None:
    """A fault for an option that is empty and must not be, with what could be named."""
    names = sorted({str(one.name) for one in getattr(cloud, among)})[:CANDIDATES_SHOWN]
    faults.error(option, f"It is empty. Remedy: name {kind}, for example one of: {', '.join(names) or 'none seen'}.")
