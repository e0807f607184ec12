"""`deskroster serve`: the real thing."""

import ipaddress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from deskroster.admin.installation import Installation
from deskroster.cli.console import Exit, Refused, as_json, say
from deskroster.cli.opening import must_be_installation
from deskroster.cli.options import Data, Host, Json, Port
from deskroster.cli.serving import serve as serve_folder
from deskroster.settings import Settings
from deskroster.telemetry import Telemetry

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
LogRequests = Annotated[bool, typer.Option("--log-requests", help="Log every request, without what is secret in it.")]


def serve(
    data: Data,
    host: Host = "127.0.0.1",
    port: Port = 8321,
    tls_cert: Certificate = None,
    tls_key: CertificateKey = None,
    trusted_proxy: Proxies = None,
    log_requests: LogRequests = False,
    json: Json = False,
) -> None:
    """Serve the companies of a data folder.

    On SIGTERM or Ctrl-C it takes no further request, finishes those in flight (30 s at most), and leaves. /live and
    /ready are for whoever watches it, /metrics (Prometheus) for this machine. Logs are JSON lines on standard error.
    The folder belongs to one server; the other commands reach it through the socket in the folder.

    With --json one line is printed when the server answers: {"event":"ready","url":…,"company":…}, where the company
    is null if there are several.

    For example:

    ```sh
    deskroster serve --data /var/lib/deskroster --host 0.0.0.0 --port 443 --tls-cert chain.pem --tls-key key.pem
    deskroster serve --data /var/lib/deskroster --trusted-proxy 10.0.0.0/8
    ```
    """
    if (tls_cert is None) != (tls_key is None):
        raise Refused(Exit.USAGE, "--tls-cert and --tls-key go together")
    for file in filter(None, (tls_cert, tls_key)):
        if not file.is_file():
            raise Refused(Exit.NOT_FOUND, f"there is no file {file}")
    must_be_installation(data)
    settings = Settings(
        data=data,
        host="127.0.0.1" if host == "localhost" else host,
        port=port,
        tls_certificate=tls_cert,
        tls_key=tls_key,
        trusted_proxies=tuple(map(_network, trusted_proxy or ())),
        log_requests=log_requests,
    )
    serve_folder(settings, _loaded, _told_as_json if json else _told)


class _Served(NamedTuple):
    labels: list[str]
    telemetry: Telemetry


async def _loaded(installation: Installation) -> _Served:
    """Load every company, so that the first request of none waits. Raises Refused where there is none."""
    companies = installation.store.companies()
    if not companies:
        data = installation.settings.data
        hint = f"Found one with: deskroster init --data {data} --label LABEL --name NAME --email EMAIL"
        raise Refused(Exit.NOT_FOUND, f"{data} holds no company", hint)
    for company in companies:
        await installation.desks.of_company(company)
    return _Served([company.label for company in companies], installation.telemetry)


def _told_as_json(url: str, served: _Served) -> None:
    served.telemetry.log.info("ready", url=url, companies=served.labels)
    as_json({"event": "ready", "url": url, "company": served.labels[0] if len(served.labels) == 1 else None})


def _told(url: str, served: _Served) -> None:
    served.telemetry.log.info("ready", url=url, companies=served.labels)
    say(f"[bold green]Deskroster[/bold green] answers at [bold]{url}[/bold] for {', '.join(served.labels)}")


def _network(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        raise Refused(Exit.USAGE, f"--trusted-proxy {text} is no address and no network") from None
