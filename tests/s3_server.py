"""A real S3 server over a directory of its own: versitygw, built by `.ci/test-deps` into the cache."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from logcast.stack.jars import cache_dir
from logcast.stack.tether import tethered
from tests.needed import missing

PROGRAM = cache_dir() / "bin" / "versitygw-v1.8.0"
HOW = f"`make test-deps` builds versitygw into {PROGRAM}, with Go"
START_DEADLINE_S = 60.0
BUCKET = "logcast"


@dataclass(frozen=True)
class S3Server:
    """Where it listens and what it takes; its bucket is empty at first."""

    endpoint: str
    access_key: str
    secret_key: str

    def options(self, prefix: str) -> dict[str, Any]:
        """Settings of recordings in the bucket, below a prefix."""
        return {
            "recordings_url": f"s3://{BUCKET}/{prefix}",
            "recordings_endpoint": self.endpoint,
            "recordings_region": "us-east-1",
            "recordings_access_key": self.access_key,
            "recordings_secret_key": self.secret_key,
        }


@contextmanager
def s3_server(directory: Path, port: int) -> Iterator[S3Server]:
    """Run the server on 127.0.0.1 until the block ends; one that is not installed fails under CI, else skips."""
    if not PROGRAM.exists():
        missing("an S3 server", HOW)
    (directory / "files" / BUCKET).mkdir(parents=True, exist_ok=True)
    serves = S3Server(f"http://127.0.0.1:{port}", "logcast-tests", secrets.token_hex(16))
    keys = {"ROOT_ACCESS_KEY_ID": serves.access_key, "ROOT_SECRET_ACCESS_KEY": serves.secret_key}
    # Metadata goes beside the objects: not every file system that tests run on has extended attributes.
    (directory / "metadata").mkdir(exist_ok=True)
    command = [str(PROGRAM), "--port", f"127.0.0.1:{port}", "--quiet", "posix"]
    command += ["--sidecar", str(directory / "metadata"), str(directory / "files")]
    with (directory / "output.log").open("wb") as output:
        process = subprocess.Popen(tethered(command), env=os.environ | keys, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait(process, port, directory / "output.log")
        yield serves
    finally:
        process.terminate()
        process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"versitygw does not serve: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
        else:
            return
