"""A `curl` for each dialect that makes its own timestamp, nonce and signature in any POSIX shell."""

from collections.abc import Iterator

from deskroster.dialect import Dialect
from deskroster.dialects import DIALECTS


def of_each_dialect(url: str, email: str, token: str | None) -> Iterator[tuple[Dialect, str]]:
    """Yield each dialect with a command that lists something of it, to be pasted as it is."""
    for dialect in DIALECTS:
        if dialect.credentials is not None:
            address = f"{url}{dialect.prefix}{dialect.example}"
            yield dialect, dialect.credentials.curl(email, token or "YOUR_TOKEN", address)
