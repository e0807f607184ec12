"""A `curl` for each dialect that makes its own timestamp, nonce and signature in any POSIX shell."""

from collections.abc import Iterator

from deskroster.dialect import Dialect
from deskroster.dialects import DIALECTS

_SHA256 = "(openssl dgst -sha256 -r 2>/dev/null || sha256sum) | cut -c1-64"
"""Whichever of the two is there: a slim container lacks the one, a Mac the other."""
_NOW = "t=$(date +%s)"
_NONCE = "n=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')"


def of_each_dialect(url: str, email: str, token: str | None) -> Iterator[tuple[Dialect, str]]:
    """Yield each dialect with a command that lists something of it, to be pasted as it is."""
    known = token or "YOUR_TOKEN"
    commands = {
        "udesk": _udesk(url, email, known),
        "kf5": f"curl -s -u '{email}/token:{known}' '{url}/apiv2/groups.json'",
        "servicego": _servicego(url, email, known),
        "own": f"curl -s -u '{email}:{known}' '{url}/deskroster/v1/agents?per_page=2'",
    }
    for dialect in DIALECTS:
        if dialect.name in commands:
            yield dialect, commands[dialect.name]


def _udesk(url: str, email: str, token: str) -> str:
    sign = f's=$(printf %s "{email}&{token}&$t&$n&v2" | {_SHA256})'
    query = f"email={email}&timestamp=$t&nonce=$n&sign_version=v2&sign=$s"
    return f'{_NOW}; {_NONCE}; {sign}; curl -s "{url}/open_api_v1/user_groups?per_page=2&{query}"'


def _servicego(url: str, email: str, token: str) -> str:
    sign = f's=$(printf %s "{email}&{token}&$t" | {_SHA256})'
    return f'{_NOW}; {sign}; curl -s "{url}/api/v1/user?pageSize=2&email={email}&timestamp=$t&sign=$s"'
