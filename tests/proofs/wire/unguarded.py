"""The control: the same server, with uvicorn's own protocol between the network and the app."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class NoGuard:
    """Stands for `guards.Guard`, and guards nothing."""

    def __init__(self, *_: Any) -> None:
        pass

    def protocol(self, **given: Any) -> HttpToolsProtocol:
        return HttpToolsProtocol(**given)


@contextmanager
def unguarded() -> Iterator[None]:
    """Start servers without guards."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deskroster.server.Guard", NoGuard)
        yield
