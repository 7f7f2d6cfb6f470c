"""A Kafka or Cassandra node under the supervisor: what makes its starts faster, and what is done once it answers."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from logcast.stack.cassandra_node import CassandraNode
from logcast.stack.class_archive import ClassArchive
from logcast.stack.kafka_node import KafkaNode

Node = TypeVar("Node", KafkaNode, CassandraNode)


@dataclass(slots=True)
class JavaServer(Generic[Node]):
    """A node, its class archive, and what is to `apply` (topics, tables) when it answers for the first time.

    Not when it comes back: of several nodes others may be away then, and applying would wait for them.
    """

    name: str
    node: Node
    archive: ClassArchive
    apply: Callable[[], None] | None = None

    def argv(self) -> list[str]:
        """The command line of the next start."""
        return self.node.argv(self.archive.flags())

    async def settle(self) -> None:
        """It answers: keep the archive that it started with, and apply what is to be applied."""
        self.archive.proved()
        if self.apply is not None:
            await asyncio.to_thread(self.apply)
            self.apply = None

    async def build_archive(self) -> None:
        """Make later starts faster, when there is no archive yet."""
        await self.archive.build(self.node.argv())
