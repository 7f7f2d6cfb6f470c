"""How many of each process the stack has, and on which addresses: one machine of its own, or a cluster of three.

The "machines" of the cluster are addresses of the loopback interface, so that all have the same ports, as real machines
would: each has a Kafka and a Cassandra node, the first two one of each of our roles besides.
"""

from dataclasses import dataclass
from typing import Final

from stores.settings import Settings


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the nodes of Kafka and Cassandra run, and where our roles do (`homes`).

    Attributes:
        standby: each worker has a double.
        roles: ours run at all.
    """

    nodes: tuple[str, ...]
    homes: tuple[str, ...]
    standby: bool = False
    roles: bool = True

    @property
    def is_cluster(self) -> bool:
        """Whether there is more than one of everything."""
        return len(self.nodes) > 1

    def named(self, kind: str) -> tuple[str, ...]:
        """The names of all processes of a kind: `kafka-1`, …; where there is one, just `kafka`."""
        places = self.nodes if kind in {"kafka", "cassandra"} else self.homes
        return tuple(f"{kind}-{number}" for number in range(1, len(places) + 1)) if self.is_cluster else (kind,)

    def settings(self, settings: Settings, kafka_port: int) -> Settings:
        """What all processes are told: every node of Kafka and Cassandra, and three copies of everything."""
        if not self.is_cluster:
            return settings
        push_port = settings.push_port_or_next
        return settings.model_copy(
            update={
                "kafka_bootstrap": ",".join(f"{host}:{kafka_port}" for host in self.nodes),
                "cassandra_hosts": ",".join(self.nodes),
                "replication": len(self.nodes),
                "ingest_url": settings.ingest_url or ",".join(f"ws://{home}:{push_port}" for home in self.homes),
            }
        )

    def settings_at(self, settings: Settings, place: int) -> Settings:
        """What the processes of the home number `place` (from 0) are told: their address, their place in the group."""
        if not self.is_cluster:
            return settings
        home = self.homes[place]
        return settings.model_copy(update={"bind_host": home, "public_host": home, "worker_slot": str(place + 1)})

    def standby_at(self, settings: Settings, place: int) -> Settings:
        """What the standby of the home number `place` is told."""
        changes = {"worker_standby": True, "health_port_worker": settings.health_port_standby}
        return self.settings_at(settings, place).model_copy(update=changes)


ONE: Final = Layout(("127.0.0.1",), ("127.0.0.1",))
CLUSTER: Final = Layout(("127.0.0.1", "127.0.0.2", "127.0.0.3"), ("127.0.0.1", "127.0.0.2"))
