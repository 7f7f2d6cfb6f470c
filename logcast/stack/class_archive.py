"""Class data sharing: the classes that a Java server loads at its start, parsed once and mapped ever after.

An archive takes 40 % off the CPU time of a start. The first start without one writes down which classes it loads; when
everything is ready and the machine has nothing better to do, the archive is made from that list, in the cache that all
data directories share. It is never needed: Java goes on without an archive that does not fit, and one with which a
start failed is thrown away.
"""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from logcast.stack.java import Java
from logcast.stack.tether import tethered

BUILD_TIMEOUT_S = 600.0
LEAST_PRIORITY = 19
"""Of nice(2). Not SCHED_IDLE: in the kernel others may have to wait for it, which gets no time on a full machine."""


@dataclass(slots=True)
class ClassArchive:
    """The archive of one product. `class_list` is where a start without it writes down its classes."""

    archive: Path
    class_list: Path
    _on_trial: bool = False

    def flags(self) -> list[str]:
        """What the next start is to be given; call it once a start."""
        if self._on_trial:
            self.archive.unlink(missing_ok=True)
        self._on_trial = self.archive.exists()
        if self._on_trial:
            return [f"-XX:SharedArchiveFile={self.archive}", "-XX:+VerifySharedSpaces"]
        return [f"-XX:DumpLoadedClassList={self.class_list}"]

    def proved(self) -> None:
        """The start came to its end."""
        self._on_trial = False

    async def build(self, argv: Sequence[str]) -> bool:
        """Make the archive for the server of this command line, if it is not there; whether it is now.

        Takes 10 to 25 seconds of CPU time that nobody else wants (the lowest priority), and 400 MB for as long.
        """
        if self.archive.exists() or not self.class_list.exists():
            return self.archive.exists()
        self.archive.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.archive.parent, prefix="build-") as scratch:
            fresh = Path(scratch) / self.archive.name
            if await _run_idly(_dump_command(argv, self.class_list, fresh)) == 0 and fresh.exists():
                fresh.replace(self.archive)
                self.class_list.unlink(missing_ok=True)
        return self.archive.exists()


def class_archive(directory: Path, product: str, java: Java, jars: Sequence[Path], class_list: Path) -> ClassArchive:
    """The archive for exactly this Java and these files; Java itself compares both again."""
    digest = hashlib.sha256(str(java.binary.resolve()).encode())
    for path in (java.binary, *jars):
        facts = path.stat()
        digest.update(f"\n{path} {facts.st_size} {facts.st_mtime_ns}".encode())
    return ClassArchive(directory / f"{product}-{digest.hexdigest()[:16]}.jsa", class_list)


def _dump_command(argv: Sequence[str], class_list: Path, archive: Path) -> list[str]:
    """The server's own flags and class path, to dump instead of to run."""
    end = list(argv).index("-cp") + 2
    dump = ["-Xshare:dump", f"-XX:SharedClassListFile={class_list}", f"-XX:SharedArchiveFile={archive}"]
    return [argv[0], *argv[1:end], *dump]


async def _run_idly(argv: Sequence[str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *tethered(argv),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, process.pid, LEAST_PRIORITY)
        async with asyncio.timeout(BUILD_TIMEOUT_S):
            return await process.wait()
    except TimeoutError:
        return -1
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
