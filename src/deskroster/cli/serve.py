"""`deskroster serve`: serve an installation."""

import ipaddress
from pathlib import Path
from typing import Annotated, TypedDict

import typer

from deskroster.admin.open_installation import OpenInstallation
from deskroster.cli import serving
from deskroster.cli.console import Exit, Refused, captured, json_line, print_markup
from deskroster.cli.opening import must_be_installation, reading, refusing
from deskroster.cli.options import Data, Database, Host, Json, Port
from deskroster.core.records import Secret
from deskroster.dialect import hosts
from deskroster.ledger import location
from deskroster.ledger.files.paths import in_shell, shown
from deskroster.settings import Settings
from deskroster.texts import foreign, said

METRICS_PORT = 9321
MIN_TOKEN = 16  # characters

Certificate = Annotated[
    Path | None,
    typer.Option("--tls-cert", metavar="FILE", help="Certificate chain (PEM); with --tls-key, serve HTTPS."),
]
CertificateKey = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="Private key of the certificate (PEM).")
]
Proxies = Annotated[
    list[str] | None,
    typer.Option(
        "--trusted-proxy",
        metavar="ADDRESS",
        help="Believe the forwarded headers of this address or network. Can be given several times.",
    ),
]
AllowedHosts = Annotated[
    list[str] | None,
    typer.Option(
        "--allowed-host",
        metavar="HOST",
        help="Answer only this host name or address, or every name below *.NAME. Can be given several times.",
    ),
]
Processes = Annotated[
    int,
    typer.Option(
        "--workers", metavar="N", min=1, max=64, help="Number of server processes; more than one needs PostgreSQL."
    ),
]
MetricsHost = Annotated[
    str | None, typer.Option("--metrics-host", metavar="HOST", help="Serve /metrics at this address only.")
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        help=f"The port of /metrics, at --metrics-host or 127.0.0.1; {METRICS_PORT} if only the host is given.",
    ),
]
MetricsToken = Annotated[
    Path | None,
    typer.Option("--metrics-token-file", metavar="FILE", help="Require the bearer token in this file for /metrics."),
]
LogRequests = Annotated[bool, typer.Option("--log-requests", help="Log every request, without secrets.")]


class _Tls(TypedDict):
    """The fields of Settings for TLS."""

    tls_certificate: Path | None
    tls_key: Path | None


class _Metrics(TypedDict):
    """The fields of Settings for the metrics."""

    metrics_host: str
    metrics_port: int | None
    metrics_token: Secret | None


def serve(
    data: Data,
    host: Host = "127.0.0.1",
    port: Port = 8321,
    tls_cert: Certificate = None,
    tls_key: CertificateKey = None,
    trusted_proxy: Proxies = None,
    allowed_host: AllowedHosts = None,
    metrics_host: MetricsHost = None,
    metrics_port: MetricsPort = None,
    metrics_token_file: MetricsToken = None,
    log_requests: LogRequests = False,
    database: Database = None,
    workers: Processes = 1,
    json: Json = False,
) -> None:
    """Serve the companies of a data folder.

    On SIGTERM or Ctrl-C it accepts no further request, finishes those in flight (30 s at most), and exits. Logs are
    JSON lines on standard error. /live and /ready are for health checks. /metrics (Prometheus) is for this machine
    only; behind a proxy on this machine, use --metrics-port or a token. With --allowed-host requests for other hosts
    are refused, except /live and /ready, which protects against DNS rebinding. The folder belongs to one
    server; the other commands reach it through the socket in the folder.

    With the data in PostgreSQL any number of servers serve the same companies, each with its own folder and a copy of
    the key, and --workers starts several processes here. With --json it prints one line when it answers:
    {"event":"ready","url":…,"company":…}, where the company is null if there are several.

    For example:

    ```sh
    deskroster serve --data ./data --tls-cert chain.pem --tls-key key.pem
    deskroster serve --data ./data --trusted-proxy 10.0.0.0/8
    deskroster serve --data ./data --database postgresql://db/desk --workers 4
    ```
    """
    _check(data, database, workers, tls_cert, tls_key)
    settings = Settings(
        data=data,
        database=database,
        workers=workers,
        host=_address(host),
        port=port,
        **_Tls(tls_certificate=tls_cert, tls_key=tls_key),
        trusted_proxies=tuple(map(_network, trusted_proxy or ())),
        allowed_hosts=tuple(map(_host, allowed_host or ())),
        **_metrics(metrics_host, metrics_port, metrics_token_file),
        log_requests=log_requests,
    )
    serving.serve_companies(settings, _load_all, _ready_as_json if json else _ready_as_text)


def _address(name: str) -> str:
    return "127.0.0.1" if name == "localhost" else name


def _metrics(host: str | None, port: int | None, token: Path | None) -> _Metrics:
    """Return the settings for the metrics. Raises Refused."""
    if port is None and host is not None:
        port = METRICS_PORT
    return _Metrics(metrics_host=_address(host or "127.0.0.1"), metrics_port=port, metrics_token=_token(token))


def _token(file: Path | None) -> Secret | None:
    """Return the token of the metrics, read from a file. Raises Refused."""
    if file is None:
        return None
    with reading(file):
        token = file.read_text("ascii", "replace").strip()
    if len(token) < MIN_TOKEN or not all("!" <= one <= "~" for one in token):
        hint = said("Make one with: openssl rand -hex 32")
        raise Refused(
            Exit.USAGE,
            said(
                "{file} must hold a token: {length} visible ASCII characters or more",
                file=shown(file),
                length=MIN_TOKEN,
            ),
            hint,
        )
    return Secret(token)


def _check(data: Path, database: str | None, workers: int, certificate: Path | None, key: Path | None) -> None:
    _check_tls(certificate, key)
    must_be_installation(data, database)
    _check_workers(workers, data, database)


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise Refused(Exit.USAGE, said("--tls-cert and --tls-key go together"))
    for file in filter(None, (certificate, key)):
        with reading(file):
            if not file.is_file():  # every worker reads it, so a pipe will not do
                raise FileNotFoundError
            file.read_bytes()


def _check_workers(workers: int, data: Path, database: str | None) -> None:
    with refusing(data):
        if workers > 1 and location.url_of(data, database) is None:
            hint = said("Move the data to PostgreSQL first: deskroster move --to URL")
            raise Refused(Exit.USAGE, said("several processes cannot share SQLite"), hint)


async def _load_all(installation: OpenInstallation) -> list[str]:
    """Load every company, so that no request has to wait; return the labels. Raises Refused if there is none."""
    companies = installation.store.listed.all()
    if not companies:
        data = installation.settings.data
        hint = said(
            "Create one with: deskroster init --data {data} --label LABEL --name NAME --email EMAIL",
            data=in_shell(data),
        )
        raise Refused(Exit.NOT_FOUND, said("{data} holds no company", data=shown(data)), hint)
    for company in companies:
        await installation.desks.of_company(company, patience=None)
    return [company.label for company in companies]


def _ready_as_json(at: serving.Addresses, labels: list[str]) -> str:
    company = labels[0] if len(labels) == 1 else None
    return json_line(
        {"event": "ready", "url": at.url, "company": company, **({"metrics": at.metrics} if at.metrics else {})}
    )


def _ready_as_text(at: serving.Addresses, labels: list[str]) -> str:
    companies = ", ".join(labels)
    if at.metrics:
        text = said(
            "[bold green]Deskroster[/bold green] answers at [bold]{url}[/bold] for {companies}; its metrics are at "
            "[bold]{metrics}/metrics[/bold]",
            url=at.url,
            companies=companies,
            metrics=at.metrics,
        )
    else:
        text = said(
            "[bold green]Deskroster[/bold green] answers at [bold]{url}[/bold] for {companies}",
            url=at.url,
            companies=companies,
        )
    return captured(lambda: print_markup(text))


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise Refused(Exit.USAGE, said("--trusted-proxy {text} is no address and no network", text=text)) from None


def _host(text: str) -> str:
    try:
        return hosts.checked(text)
    except ValueError as error:
        raise Refused(Exit.USAGE, said("--allowed-host {error}", error=foreign(error))) from None
