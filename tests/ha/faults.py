"""What breaks: how, how one sees that it has had its consequence, and how soon each process must write again."""

import signal
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tests.ha.cluster import Cluster, Node, asked
from tests.ha.desks import Desk
from tests.ha.machines import send, wait

SECONDS = 30.0  # in which a process acknowledges writes again
PLANNED_SECONDS = 5.0
WRITES_SECONDS = 30.0
LAG = 2.0  # seconds of writes that a primary without synchronous standbys takes with it

Seen = Callable[[], object]


class Fault(NamedTuple):
    """`strike` breaks something, and returns what is seen once that has had its consequence."""

    name: str
    strike: Callable[[Cluster, Sequence[Desk]], Seen]
    seconds: float = SECONDS


def _primary(cluster: Cluster) -> Node:
    primary = cluster.primary
    assert primary is not None
    return primary


def _replaced(cluster: Cluster, primary: Node) -> Seen:
    return lambda: any(node is not primary and node.is_("primary") for node in cluster.nodes)


def primary_machine_dead(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    primary = _primary(cluster)
    primary.kill()
    return _replaced(cluster, primary)


def postgresql_dead(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    primary = _primary(cluster)
    primary.kill_postgresql()
    return _replaced(cluster, primary)


def patroni_dead(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    """Patroni is dead and its PostgreSQL goes on: after a while there are two that think they are the primary."""
    primary = _primary(cluster)
    primary.kill_patroni()
    return _replaced(cluster, primary)


def primary_frozen(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    """The primary stands still. When another has taken over it is thawed, and thinks that it is the primary."""
    primary = _primary(cluster)
    primary.freeze()
    return _replaced(cluster, primary)


def standby_dead(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    """The standby that every commit waits for is dead."""
    standby = cluster.synchronous
    assert standby is not None
    standby.kill()
    return lambda: cluster.synchronous not in (None, standby)


def etcd_quorum_lost(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    """Two etcd of three are dead. The primary may go on once it knows that all members still follow it."""
    primary = _primary(cluster)
    for etcd in cluster.etcds[:2]:
        etcd.kill()
    return lambda: asked(primary.api, "/patroni").get("failsafe_mode_is_active")


def switch_over(cluster: Cluster, _: Sequence[Desk]) -> Seen:
    primary = _primary(cluster)
    cluster.switch_over()
    return _replaced(cluster, primary)


def desk_killed(_: Cluster, desks: Sequence[Desk]) -> Seen:
    desks[0].kill()
    return lambda: True


FAULTS = (
    Fault("a planned switch-over", switch_over, PLANNED_SECONDS),
    Fault("a Deskroster process is killed", desk_killed),
    Fault("PostgreSQL is dead", postgresql_dead),
    Fault("the standby's machine is dead", standby_dead),
    Fault("etcd has lost its quorum", etcd_quorum_lost),
    Fault("the primary's machine is dead", primary_machine_dead),
    Fault("Patroni is dead", patroni_dead),
    Fault("the primary is frozen, and thawed", primary_frozen),
)


def take_along_what_is_not_replicated(cluster: Cluster, acknowledged: Callable[[], int]) -> Seen:
    """Kill the primary's machine, and all that is on its way, when the standbys have received nothing for a while."""
    primary = _primary(cluster)
    receivers = [pid for node in cluster.nodes if node is not primary for pid in node.running("walreceiver")]
    assert len(receivers) == 2
    for pid in receivers:
        send(pid, signal.SIGSTOP)
    before, began = acknowledged(), time.monotonic()
    wait(lambda: acknowledged() > before and time.monotonic() > began + LAG, WRITES_SECONDS, "writes")
    primary.kill()
    for pid in receivers:
        send(pid, signal.SIGKILL)
    return _replaced(cluster, primary)
