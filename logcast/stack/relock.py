"""Write `jars.lock` anew: `python -m logcast.stack.relock`. For whoever moves a pinned version; takes minutes.

jgo resolves the graphs; the SHA-256 are those of what this machine downloads, so compare the difference in review.
"""

import hashlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext
from jgo.parse import Coordinate

from logcast.stack.mirrors import maven_repositories

PINNED = {
    # Kafka logs through SLF4J 1.7, whose binding its own distribution adds to the graph of the artifact.
    "kafka": ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"),
    "cassandra": ("org.apache.cassandra:cassandra-all:5.0.9",),
}


def needed_artifacts(context: Any, coordinates: tuple[str, ...]) -> list[Any]:
    """What `coordinates` need at run time, themselves included; the first one that asks decides on a version.

    One root at a time: jgo lets the version rules of every root it is given rule all the others (log4j's moved
    Kafka's own client to 3.9).
    """
    needed: dict[tuple[str, str, str], Any] = {}
    for text in coordinates:
        root = context.create_dependency(replace(Coordinate.parse(text), scope="compile"))
        inputs, transitive = context.resolver.resolve([root])
        running = (dependency for dependency in transitive if dependency.scope in {"compile", "runtime"})
        for dependency in (*inputs, *running):
            artifact = dependency.artifact
            needed.setdefault((artifact.groupId, artifact.artifactId, artifact.classifier), artifact)
    return list(needed.values())


def lock_lines(context: Any, product: str, coordinates: tuple[str, ...]) -> Iterator[str]:
    """One line of the lock for each artifact."""
    for artifact in needed_artifacts(context, coordinates):
        content = Path(artifact.resolve()).read_bytes()
        parts = (artifact.groupId, artifact.artifactId, artifact.version, artifact.classifier)
        yield f"{product} {hashlib.sha256(content).hexdigest()} {len(content)} {':'.join(filter(None, parts))}"


def main() -> None:
    """Print progress to stderr and replace the lock beside this module."""
    lines = ["# PRODUCT SHA256 BYTES COORDINATE, in class path order; written by logcast.stack.relock"]
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), remote_repos=maven_repositories(), timeout=60)
        for product, coordinates in PINNED.items():
            for line in lock_lines(context, product, coordinates):
                print(line, file=sys.stderr)
                lines.append(line)
    Path(__file__).with_name("jars.lock").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
