"""What a protocol costs: requests into a connection that is not there, and their answers out of it."""

import asyncio
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import uvicorn
import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from deskroster.core.problems import Busy
from deskroster.dialect import Reply
from deskroster.dialect.problems import Rejection
from deskroster.guards import Guard
from deskroster.settings import Limits

GET = (
    b"GET /open_api_v1/user_groups?email=a%40b.cn&timestamp=1700000000&nonce=0123456789abcdef&sign_version=v2&sign="
    + b"0" * 64
    + b" HTTP/1.1\r\nHost: demo.example.com\r\nAccept: */*\r\nAccept-Encoding: gzip, deflate\r\n"
    + b"Connection: keep-alive\r\nUser-Agent: python-httpx/0.28.1\r\n\r\n"
)
ROUND = 2_000  # requests


class _Nowhere(asyncio.Transport):
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 40_000) if name == "peername" else default

    def write(self, data: Any) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...
    def is_closing(self) -> bool:
        return False


async def _answers(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def added(rounds: int = 30) -> tuple[float, float]:
    """Return the seconds that a GET takes with guards more than without, and those that it takes without.

    Rounds of both take turns; it is the median of their differences that counts.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_added(rounds))


async def _added(rounds: int) -> tuple[float, float]:
    config = uvicorn.Config(_answers, http="httptools", ws="none", lifespan="off", access_log=False, log_config=None)
    config.load()

    def refuse(method: str, path: bytes, fault: Rejection | Busy) -> Reply:
        raise AssertionError

    guard = Guard(Limits(), refuse, lambda address: False)
    plain, guarded = _connected(HttpToolsProtocol, config), _connected(guard.protocol, config)
    differences, alone = [], []
    for _ in range(rounds):
        without, with_guards = await _round(plain), await _round(guarded)
        differences.append(with_guards - without)
        alone.append(without)
    guarded.connection_lost(None)
    plain.connection_lost(None)
    return median(differences) / ROUND, median(alone) / ROUND


def _connected(protocol: Callable[..., Any], config: uvicorn.Config) -> Any:
    made = protocol(config=config, server_state=ServerState(), app_state={}, _loop=asyncio.get_running_loop())
    made.connection_made(_Nowhere())
    return made


async def _round(protocol: Any) -> float:
    began = time.thread_time()
    for _ in range(ROUND):
        protocol.data_received(GET)
        await asyncio.sleep(0)
    return time.thread_time() - began
