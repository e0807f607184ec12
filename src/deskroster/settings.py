"""Settings of a server: one frozen object, read once and passed along."""

from pathlib import Path

from msgspec import Struct

from deskroster.core.records import Secret


class Limits(Struct, frozen=True, kw_only=True):
    """Limits and timeouts of connections."""

    head_bytes: int = 16_384  # request line and headers
    query_bytes: int = 8_192
    body_bytes: int = 1 << 20  # of one request
    bodies_bytes: int = 256 << 20  # of all requests that are being received or answered
    bodies_bytes_per_address: int = 64 << 20  # not for trusted proxies
    head_seconds: float = 10.0  # from the first byte of a request (the first: from the connection) to its head's end
    body_seconds: float = 30.0  # from the end of the head to the end of the body
    write_seconds: float = 30.0  # in which a client must read a response
    idle_seconds: int = 75  # between two requests
    connections: int = 10_000
    connections_per_address: int = 2_000  # not for trusted proxies


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator can set. The limits of the data itself are constants beside their rules."""

    data: Path  # the folder with the installation key and the admin socket; with the data, unless that is in PostgreSQL
    database: str | None = None  # URL; None: `DESKROSTER_DATABASE`, else the `database` file; "": that file only
    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1  # processes that share the address
    worker: int | None = None  # the number of this one, from 0, if there are several
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()  # addresses and networks whose forwarded headers are used
    allowed_hosts: tuple[str, ...] = ()  # names, addresses and *.names for `Host`; empty: every host
    explain_signatures: bool = False  # a refusal shows the form that was tried and the masked string to sign
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # metrics only there, over plain HTTP; None: `/metrics` at `port`
    metrics_token: Secret | None = None  # bearer token; None: `/metrics` at `port` answers loopback addresses only
    log_requests: bool = False
    graceful_seconds: int = 30  # for open requests when the server stops
    limits: Limits = Limits()
