"""What a Patroni of the cluster is told: the settings of docs/how-to/run-highly-available.md, with short times."""

from pathlib import Path
from typing import Any

from tests.ha import needs

TTL = 20  # seconds after which a silent primary is replaced; Patroni allows no less
LOOP_WAIT = 1
RETRY_TIMEOUT = 5


def settings(name: str, folder: Path, etcds: list[int], api: int, port: int, password: str) -> dict[str, Any]:
    """Return the settings of one member. The ports are of 127.0.0.1."""
    users = {"superuser": "postgres", "replication": "replicator", "rewind": "rewinder"}
    return {
        "scope": "deskroster",
        "name": name,
        "restapi": _listening(api),
        "etcd3": {"hosts": [f"127.0.0.1:{port}" for port in etcds]},
        "bootstrap": {
            "dcs": _agreed(),
            "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"],
        },
        "postgresql": {
            **_listening(port),
            "data_dir": str(folder / "data"),
            "bin_dir": str(needs.postgresql()),
            "pgpass": str(folder / "pgpass"),
            "authentication": {role: {"username": user, "password": password} for role, user in users.items()},
            "parameters": {"unix_socket_directories": str(folder)},
            "pg_hba": [
                "local all all trust",
                "host replication replicator 127.0.0.1/32 scram-sha-256",
                "host all all 127.0.0.1/32 scram-sha-256",
            ],
            "basebackup": [{"checkpoint": "fast"}],
        },
        "watchdog": {"mode": "off"},  # a machine of its own should have one
    }


def _listening(port: int) -> dict[str, str]:
    return {"listen": f"127.0.0.1:{port}", "connect_address": f"127.0.0.1:{port}"}


def _agreed() -> dict[str, Any]:
    return {
        "ttl": TTL,
        "loop_wait": LOOP_WAIT,
        "retry_timeout": RETRY_TIMEOUT,
        "primary_start_timeout": 0,  # a PostgreSQL that died is not waited for: a standby has all that was answered
        "failsafe_mode": True,  # without etcd the primary goes on as long as it reaches all members
        "synchronous_mode": True,
        "synchronous_mode_strict": True,  # without a synchronous standby nothing is answered
        "postgresql": {
            "use_pg_rewind": True,
            "use_slots": True,
            "parameters": {
                "shared_buffers": "32MB",
                "max_connections": 100,
                "wal_keep_size": "64MB",
                "log_min_messages": "warning",
                "tcp_keepalives_idle": 5,
                "tcp_keepalives_interval": 2,
                "tcp_keepalives_count": 3,
                "tcp_user_timeout": "10s",
            },
        },
    }
