"""Settings of a server: one frozen object, read once and passed along."""

from pathlib import Path

from msgspec import Struct

from deskroster.core.records import Secret


class Limits(Struct, frozen=True, kw_only=True):
    """How much and how long a connection may, and how many of them there may be."""

    head_bytes: int = 16_384  # request line and headers
    query_bytes: int = 8_192
    body_bytes: int = 1 << 20  # of one request
    bodies_bytes: int = 256 << 20  # of all requests that are being read or answered
    bodies_bytes_per_address: int = 64 << 20  # a trusted proxy's are not counted
    head_seconds: float = 10.0  # from the first byte of a request, or the connection, to the end of the head
    body_seconds: float = 30.0  # from there to the end of the body
    write_seconds: float = 30.0  # that a client may leave an answer unread
    idle_seconds: int = 75  # between two requests
    connections: int = 10_000
    connections_per_address: int = 2_000  # a trusted proxy's are not counted


class Settings(Struct, frozen=True, kw_only=True):
    """What an operator may turn. The limits of the data itself stand beside their rules."""

    data: Path  # the folder with the installation key and the admin socket; the data too, if it is nowhere else
    database: str | None = None  # a PostgreSQL database; None: of the environment, else as noted; empty: as noted
    host: str = "127.0.0.1"
    port: int = 8321
    workers: int = 1  # processes that serve the same address
    worker: int | None = None  # which of them this one is, if there are several
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    trusted_proxies: tuple[str, ...] = ()  # addresses and networks whose forwarded headers are believed
    allowed_hosts: tuple[str, ...] = ()  # names, addresses and *.names that are answered; every host without any
    explain_signatures: bool = False  # in a refusal: the form tried and the masked string to sign
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None  # with it the metrics are at this address alone, over plain HTTP
    metrics_token: Secret | None = None  # which who asks for the metrics must have
    log_requests: bool = False
    graceful_seconds: int = 30  # for what is in flight when the server is told to stop
    limits: Limits = Limits()
