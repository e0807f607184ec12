"""The admin socket of a served folder: our own API for the operator, and what concerns the installation.

The file mode of the socket is the credential: who may open it is the operator.
"""

from deskroster.admin import companies, upkeep
from deskroster.admin.open_installation import OpenInstallation
from deskroster.core.access import OPERATOR, Identity
from deskroster.desk import Desk
from deskroster.dialect import Dialect
from deskroster.dialect.app import DialectApp
from deskroster.dialect.hosts import Hosts
from deskroster.dialect.problems import UnknownCompany
from deskroster.dialect.request import Receive, Request, Scope, Send
from deskroster.dialects import DIALECTS, own

PREFIX = "/installation"
_NOBODY = Identity(agent_id=0)


class AdminApp:
    """The ASGI application behind the socket. The Host header names the company by its label."""

    def __init__(self, installation: OpenInstallation) -> None:
        our_own = next(dialect for dialect in DIALECTS if dialect.name == own.NAME)
        self._own = _ForOperator(installation, our_own)
        self._installation = _OfInstallation(installation, dialect(installation))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            about_all = scope["path"].startswith(PREFIX + "/")
            await (self._installation if about_all else self._own)(scope, receive, send)


def dialect(installation: OpenInstallation) -> Dialect:
    """Return what concerns the installation, as a dialect that is spoken at the socket alone."""
    return Dialect(
        name="installation",
        title="Deskroster installation",
        prefix=PREFIX,
        routes=(*companies.routes(installation), *upkeep.routes(installation)),
        authenticate=own.authenticate,
        render=own.render,
        refusal=own.Refusal,
    )


class _ForOperator(DialectApp):
    """A dialect whose caller is the operator, whatever the request says."""

    def __init__(self, installation: OpenInstallation, dialect: Dialect) -> None:
        super().__init__(dialect, installation.desks, installation.settings, installation.telemetry, Hosts())

    async def _of_host(self, host: str) -> Desk:
        desk = await self._desks.find(host)  # not at hand for others: any host is allowed here
        if desk is None:
            raise UnknownCompany
        return desk

    async def _ask(self, desk: Desk, request: Request) -> Identity:
        await desk.fresh()
        return _NOBODY

    def _admit(self, request: Request, desk: Desk, identity: Identity) -> None:
        request.desk, request.identity, request.caller = desk, None, OPERATOR


class _OfInstallation(_ForOperator):
    """A dialect that is of no company; a desk it must have, any will do."""

    def __init__(self, installation: OpenInstallation, dialect: Dialect) -> None:
        super().__init__(installation, dialect)
        self._any = installation

    async def _of_host(self, host: str) -> Desk:
        return await self._any.some_desk()
