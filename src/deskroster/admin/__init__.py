"""The admin socket of a served folder: our own API for the operator, and what concerns the installation.

The file mode of the socket is the credential: who may open it is the operator.
"""

from deskroster.admin import companies, upkeep
from deskroster.admin.identification import of_company, of_installation
from deskroster.admin.open_installation import OpenInstallation
from deskroster.dialect import Dialect
from deskroster.dialect.app import DialectApp
from deskroster.dialect.identification import Identification
from deskroster.dialect.request import Receive, Scope, Send
from deskroster.dialects import DIALECTS, own

PREFIX = "/installation"


class AdminApp:
    """The ASGI application behind the socket. The Host header names the company by its label."""

    def __init__(self, installation: OpenInstallation) -> None:
        our_own = next(dialect for dialect in DIALECTS if dialect.name == own.NAME)
        self._own = _app(installation, our_own, of_company(installation))
        self._installation = _app(installation, dialect(installation), of_installation(installation))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            about_all = scope["path"].startswith(PREFIX + "/")
            await (self._installation if about_all else self._own)(scope, receive, send)


def _app(installation: OpenInstallation, dialect: Dialect, identification: Identification) -> DialectApp:
    return DialectApp(dialect, installation.desks, installation.settings, installation.telemetry, identification)


def dialect(installation: OpenInstallation) -> Dialect:
    """Return what concerns the installation, as a dialect that is spoken at the socket alone."""
    return Dialect(
        name="installation",
        title="Deskroster installation",
        prefix=PREFIX,
        routes=(*companies.routes(installation), *upkeep.routes(installation)),
        authenticate=own.authenticate,
        render=own.render,
        lenient=False,
        refusal=own.Refusal,
    )
