"""Three etcd and three Patroni with PostgreSQL on loopback, each a machine that can be killed, frozen and mended."""

import json
import secrets
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import psycopg

from tests.ha import patroni
from tests.ha.machines import Machine, free_ports, wait

START_SECONDS = 90.0
HEAL_SECONDS = 90.0
DATABASE = "deskroster"


class Etcd(Machine):
    """A member of etcd."""

    def __init__(self, folder: Path, client: int, peer: int) -> None:
        super().__init__(folder)
        self.port = client
        self.at = f"{folder.name}=http://127.0.0.1:{peer}"
        self._client, self._peer = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"

    def up(self, members: str) -> None:
        """Start it, or start it again."""
        again = (self.folder / "data").exists()
        self.start("etcd", [
            "etcd", "--name", self.folder.name, "--data-dir", "data",
            "--listen-client-urls", self._client, "--advertise-client-urls", self._client,
            "--listen-peer-urls", self._peer, "--initial-advertise-peer-urls", self._peer,
            "--initial-cluster", members, "--initial-cluster-state", "existing" if again else "new",
        ])  # fmt: skip

    def healthy(self) -> bool:
        return asked(self.port, "/health").get("health") == "true"


class Node(Machine):
    """A machine with Patroni, which works in its folder, and PostgreSQL, which works in `data`."""

    def __init__(self, folder: Path, etcds: list[int], api: int, port: int, password: str) -> None:
        super().__init__(folder)
        self.name, self.api, self.port = folder.name, api, port
        told = patroni.settings(self.name, folder, etcds, api, port, password)
        (folder / "patroni.yml").write_text(json.dumps(told, indent=1))  # JSON is YAML

    def up(self) -> None:
        """Start Patroni, unless it runs; it starts PostgreSQL."""
        if not self.running("patroni.yml"):
            self.start("patroni", [sys.executable, "-m", "patroni", "patroni.yml"])

    def kill_postgresql(self) -> None:
        self.kill("data")

    def kill_patroni(self) -> None:
        self.kill_top()

    def is_(self, role: str) -> bool:
        """Whether Patroni says that it is the `primary`, or the `synchronous` standby."""
        return bool(asked(self.api, f"/{role}"))


class Cluster:
    """The six machines. `primary` is the node that is it at the moment."""

    def __init__(self, folder: Path) -> None:
        ports = list(islice(free_ports(), 12))
        self._password = secrets.token_hex()
        self.folder = folder
        self.etcds = [Etcd(folder / f"etcd{n}", *ports[2 * n : 2 * n + 2]) for n in range(3)]
        clients = [etcd.port for etcd in self.etcds]
        self.nodes = [
            Node(folder / f"node{n}", clients, *ports[6 + 2 * n : 8 + 2 * n], self._password) for n in range(3)
        ]

    def up(self) -> None:
        """Start all, and wait until it is a cluster with an empty database."""
        self._start()
        wait(self.healthy, START_SECONDS, "three members, a primary, a synchronous standby")
        with self.connected("postgres") as db:
            db.execute(f"CREATE ROLE {DATABASE} LOGIN PASSWORD '{self._password}'")
            db.execute(f"CREATE DATABASE {DATABASE} OWNER {DATABASE}")

    def down(self) -> None:
        for machine in (*self.nodes, *self.etcds):
            machine.end()

    def heal(self) -> float:
        """Start again what is dead, thaw what is frozen, and wait until all is well; return after how many seconds."""
        for machine in (*self.etcds, *self.nodes):
            machine.thaw()
        self._start()
        return wait(self.healthy, HEAL_SECONDS, "a healthy cluster")

    @property
    def url(self) -> str:
        """Where Deskroster finds its database: on whichever node is the primary."""
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql://{DATABASE}:{self._password}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    @property
    def primary(self) -> Node | None:
        return next((node for node in self.nodes if node.is_("primary")), None)

    @property
    def synchronous(self) -> Node | None:
        return next((node for node in self.nodes if node.is_("synchronous")), None)

    def connected(self, database: str = DATABASE) -> "psycopg.Connection[Any]":
        """Return a connection to the primary that may see and do all."""
        primary = self.primary
        assert primary is not None
        return psycopg.connect(
            host="127.0.0.1", port=primary.port, user="postgres", password=self._password, dbname=database,
            autocommit=True, connect_timeout=5,
        )  # fmt: skip

    def healthy(self) -> bool:
        """Whether all members are there, follow one primary, and one of them is waited for by every commit."""
        members = self._members()
        states = sorted((one["role"], one["state"]) for one in members)
        following = [("replica", "streaming"), ("sync_standby", "streaming")]
        return (
            states == [("leader", "running"), *following]
            and len({one["timeline"] for one in members}) == 1
            and all(etcd.healthy() for etcd in self.etcds)
            and self.primary is not None
        )

    def replicate_synchronously(self, on: bool) -> None:
        """Let commits wait for a standby, or not; wait until that is so."""
        url = f"http://127.0.0.1:{self.nodes[0].api}/config"
        changed = {"synchronous_mode": on, "synchronous_mode_strict": on}
        httpx2.patch(url, json=changed, trust_env=False).raise_for_status()

        def seen() -> bool:
            with self.connected("postgres") as db:
                ((names,),) = db.execute("SHOW synchronous_standby_names").fetchall()
            return bool(names) == on

        wait(seen, HEAL_SECONDS, f"synchronous replication {'on' if on else 'off'}")

    def switch_over(self) -> None:
        """Hand over to another node, as one does before maintenance."""
        primary = self.primary
        assert primary is not None
        told = {"leader": primary.name}
        httpx2.post(
            f"http://127.0.0.1:{primary.api}/switchover", json=told, timeout=60, trust_env=False
        ).raise_for_status()

    def logs(self, lines: int = 20) -> Iterator[str]:
        """Yield the ends of what everybody has said."""
        for path in sorted(self.folder.rglob("*.log")):
            told = path.read_text(errors="replace").splitlines()[-lines:]
            yield "\n".join([f"--- {path.relative_to(self.folder)}", *told])

    def _members(self) -> list[dict[str, Any]]:
        for node in self.nodes:
            if found := asked(node.api, "/cluster"):
                return [{"timeline": 0} | one for one in found["members"]]
        return []

    def _start(self) -> None:
        members = ",".join(etcd.at for etcd in self.etcds)
        for etcd in self.etcds:
            if not etcd.running("etcd"):
                etcd.up(members)
        for node in self.nodes:
            node.up()


def asked(port: int, path: str) -> dict[str, Any]:
    """Return what an HTTP server of 127.0.0.1 answers, nothing if it does not or refuses."""
    try:
        answer = httpx2.get(f"http://127.0.0.1:{port}{path}", timeout=1, trust_env=False)
    except httpx2.TransportError:
        return {}
    return answer.json() if answer.status_code == 200 else {}
