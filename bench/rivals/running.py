"""Runs an ASGI app as the product is run: uvicorn with httptools and uvloop, on a free port that is printed."""

import socket
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        assert sockets is not None
        print(sockets[0].getsockname()[1], flush=True)


def run(app: Any, **more: Any) -> None:
    listening = socket.create_server(("127.0.0.1", 0), backlog=2_048)
    config = uvicorn.Config(
        app, http="httptools", loop="uvloop", ws="none", access_log=False, log_config=None, server_header=False,
        proxy_headers=False, **more,
    )  # fmt: skip
    _Server(config).run([listening])
