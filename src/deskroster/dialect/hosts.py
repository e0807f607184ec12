"""Hosts: which names a server answers to, where that is limited. A browser can be led to it by any other name."""

import ipaddress
import re
from collections.abc import Iterable
from contextlib import suppress

from deskroster.texts import said

_NAME = re.compile(r"(?:\*\.)?[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
MAX_NAME = 253  # characters of a host name (RFC 1035, section 2.3.4)


class Hosts:
    """The hosts that are allowed: names, addresses, and `*.example.com` for all names below one; every host without."""

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """Take what is allowed, as `checked` gives it. Raises ValueError."""
        names = [checked(one) for one in allowed]
        self.limited = bool(names)
        self._names = frozenset(names)
        self._below = tuple(name[1:] for name in names if name.startswith("*"))

    def allow(self, host: str | None) -> bool:
        """Tell whether a request for a host may be answered. Its port and its letter case do not count."""
        if not self.limited:
            return True
        if host is None:
            return False
        name = _named(host)
        return name in self._names or name.endswith(self._below)


def is_address(host: str | None) -> bool:
    """Tell whether a host is an address or `localhost`: no name server leads a browser to those under another name."""
    if host is None:
        return False
    name = _named(host)
    with suppress(ValueError):
        return bool(ipaddress.ip_address(name))
    return name == "localhost"


def checked(host: str) -> str:
    """Return a host that is to be allowed as it is compared. Raises ValueError for what is none, or has a port."""
    name = _plain(host.removeprefix("[").removesuffix("]"))
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if len(name) > MAX_NAME or not _NAME.fullmatch(name):
            raise ValueError(said("{host} is no host name, no address and no *.name", host=host)) from None
        return name


def _named(host: str) -> str:
    """Return the name or address of a Host header, without its port."""
    return _plain(host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0])


def _plain(name: str) -> str:
    """Return a name in lower case without the dot that may end it; an address as it is written most briefly."""
    name = name.lower().removesuffix(".")
    if ":" in name:
        with suppress(ValueError):
            return str(ipaddress.ip_address(name))
    return name
