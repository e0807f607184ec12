"""Identification of the operator: whoever can open the socket, whatever a request says."""

from collections.abc import Awaitable, Callable, Collection

from deskroster.admin.open_installation import OpenInstallation
from deskroster.core.access import OPERATOR
from deskroster.desk import Desk
from deskroster.dialect.identification import known
from deskroster.dialect.request import Request


class Operator:
    """Identifies the operator, for the company that `find` returns."""

    def __init__(self, find: Callable[[Request], Awaitable[Desk]]) -> None:
        self._find = find

    async def company(self, request: Request) -> Desk:
        return await self._find(request)

    def origins(self, request: Request) -> Collection[str]:
        return ()  # no browser opens the socket

    async def identify(self, request: Request, desk: Desk | None) -> Desk:
        desk = desk or await self._find(request)
        await desk.fresh()
        named = await self._find(request)
        if named is not desk:  # the host names another company since this waited
            return await self.identify(request, named)
        request.desk, request.identity, request.caller = desk, None, OPERATOR
        return desk


def of_company(installation: OpenInstallation) -> Operator:
    """Return the identification of the operator of the company that the Host header names. Every host is allowed."""

    async def find(request: Request) -> Desk:
        return known(await installation.desks.find(request.host))  # not remembered: others are limited in their hosts

    return Operator(find)


def of_installation(installation: OpenInstallation) -> Operator:
    """Return the identification of the operator of the installation. A handler takes a desk: any will do."""

    async def find(request: Request) -> Desk:
        _ = request.host  # judged as everywhere
        return await installation.some_desk()

    return Operator(find)
