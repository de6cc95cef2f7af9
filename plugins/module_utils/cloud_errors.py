"""What errors of OpenStack's API mean, which of them pass by themselves, and what to do about the others."""

from __future__ import annotations

import re

try:
    from keystoneauth1.exceptions import ClientException, RetriableConnectionFailure
    from openstack.exceptions import NotFoundException, SDKException
    API_ERRORS: tuple[type[Exception], ...] = (ClientException, SDKException)
    CONNECTION_ERRORS: tuple[type[Exception], ...] = (RetriableConnectionFailure,)
    NOT_FOUND: tuple[type[Exception], ...] = (NotFoundException,)
except ImportError:  # OpenStackModule says that openstacksdk is missing, before these are used
    API_ERRORS = CONNECTION_ERRORS = NOT_FOUND = ()

PASSING_STATUS = frozenset({429, 500, 502, 503, 504})

# Nova refuses for as long as it is at work on the server itself.
BUSY = re.compile(r"vm_state building|while it is in task_state")

# What the API says, and what that means and asks for. The first that fits is taken; {name} is filled in.
Remedies = tuple[tuple[str, str], ...]
REMEDIES: Remedies = (
    (r"vm_state error", "The server is in ERROR. Remedy: see why with `openstack server show {name} -c fault`; delete"
     " and make it anew, or ask the provider to reset its state."),
    (BUSY.pattern, "Nova is still at work on the server. Remedy: wait until `openstack server show {name}` says"
     " ACTIVE and run this again, or raise timeout."),
    (r"is locked", "Remedy: `openstack server unlock {name}`; who locked it may have had a reason."),
    (r"(?i)maximum number of ports|quota exceeded for resources: \['port'\]", "The project's quota of ports is reached."
     " Remedy: delete ports that nobody uses (`openstack port list --device-owner ''`), or ask the provider for a"
     " larger quota."),
    (r"(?i)no fixed ip addresses available|no more ip addresses", "Every address of the network is taken. Remedy:"
     " detach machines that do not need it, or ask the network's owner for another subnet."),
    (r"(?i)external network", "It is for routers and floating IPs. Remedy: name one of the project's or a shared one."),
    (r"(?i)subnet associated|requires a subnet", "The network has no subnet to take an address from. Remedy: make one"
     " in it."),
    (r"(?i)quota", "A quota of the project is reached. Remedy: delete what nobody uses, or ask the provider for a"
     " larger quota; `openstack quota show --usage` lists them."),
    (r"(?i)certificate|ssl", "Remedy: name the file with the provider's CA in ca_cert, or as cacert in clouds.yaml."),
)
REMEDY_BY_STATUS = {
    401: "The credentials are not accepted. Remedy: check cloud or auth; an application credential may have expired.",
    403: "These credentials may not do that. Remedy: use some with the role `member` in the project; an application"
         " credential has the roles it was made with.",
    404: "It was deleted meanwhile. Remedy: run this again.",
    429: "The API asks for fewer requests. Remedy: wait a minute and run this again.",
}


class Problem(Exception):
    """What is wrong and what to do, for the user."""


FAILURES: tuple[type[Exception], ...] = (Problem, *API_ERRORS)


def status_of(error: Exception) -> int:
    """The HTTP status of an error of openstacksdk's or of keystoneauth's; 0 where there was no answer."""
    return getattr(error, "status_code", None) or getattr(error, "http_status", None) or 0


def said_by(error: Exception) -> str:
    """The API's own words, without the URLs that openstacksdk puts around them."""
    return " ".join(str(getattr(error, "details", None) or error).split())


def known_remedy(words: str, own: Remedies = ()) -> str | None:
    """What the words of the API ask for, where they are known: to the module itself (`own`), or here."""
    return next((remedy for pattern, remedy in own + REMEDIES if re.search(pattern, words)), None)


def explain(error: Exception, name: str, own: Remedies = ()) -> str:
    """What the API said, what it means, and what to do about the server (or the like) of this name."""
    if isinstance(error, Problem):
        return str(error)
    status = status_of(error)
    if isinstance(error, CONNECTION_ERRORS):
        remedy = "The API does not answer. Remedy: check the address in cloud or auth and the way to it (VPN, proxy);" \
                 " raise api_timeout where the API is slow."
    elif status >= 500:
        remedy = "The cloud itself failed. Remedy: run this again later; if it stays, give the provider the request" \
                 f" {getattr(error, 'request_id', None) or 'and its time'}."
    else:
        remedy = known_remedy(said_by(error), own) or REMEDY_BY_STATUS.get(status, "")
    code = f"HTTP {status}: " if status else ""
    return f"{code}{said_by(error).rstrip('.')}. {remedy.replace('{name}', name)}".rstrip()


def is_busy(error: Exception) -> bool:
    """Whether Nova is at work on the server, which may take minutes."""
    return status_of(error) == 409 and BUSY.search(said_by(error)) is not None


def passes(error: Exception, own: Remedies = ()) -> bool:
    """Whether the same request may succeed a little later."""
    if status_of(error) == 409:
        return is_busy(error) or known_remedy(said_by(error), own) is None
    return isinstance(error, CONNECTION_ERRORS) or status_of(error) in PASSING_STATUS
