"""The company of `world` behind the real server, with limits that a test can wait for."""

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from deskroster.settings import Limits, Settings
from deskroster.testing import StillClock
from tests.conftest import NOW
from tests.served import Served


class Limited(Served):
    """A server with these limits."""

    def __init__(
        self, folder: Path, *, graceful_seconds: int = 30, tls: tuple[Path, Path] | None = None, **limits: Any
    ):
        super().__init__(folder, StillClock(NOW))
        self._limits = Limits(**limits)
        self._graceful_seconds = graceful_seconds
        self._certificate, self._key = tls or (None, None)

    def _settings(self, port: int) -> Settings:
        return replace(
            super()._settings(port),
            limits=self._limits,
            graceful_seconds=self._graceful_seconds,
            tls_certificate=self._certificate,
            tls_key=self._key,
        )
