"""Fills in the edge's nginx configuration (`docker/edge/`) for a directory of this machine."""

import getpass
import re
import resource
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logcast.errors import LogcastError

PLACES: Final = (Path(__file__).parents[1] / "docker" / "edge", Path(__file__).parent / "edge_files")
"""Where the files are in the repository, and in an installed package."""

COPIED: Final = ("origin.conf", "logcast_edge.lua")
MODULES: Final = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"), Path("/usr/local/nginx/modules"))

METRICS: Final = (
    "server { listen %s; location = /metrics { content_by_lua_block { require('logcast_edge').metrics() } } }"
)

_VALUE = re.compile(r"\$\{(LOGCAST_EDGE_[A-Z_]+)\}")
_ADDRESS = re.compile(r"[A-Za-z0-9._\[\]:-]+:[0-9]{1,5}")
_SAFE = re.compile(r"[^\s;{}\"'$\\]+")


@dataclass(frozen=True, slots=True)
class Edge:
    """What an edge is told.

    Attributes:
        directory: where its configuration and its run files go.
        origins: the gateways, `HOST:PORT`.
        listen: what it listens on, `PORT` or `HOST:PORT`.
        keys: the file of the keys that sign links.
        workers: nginx's worker processes, a number or `auto`.
        cache_size: the most that it keeps on disk, such as `10g`.
        log: `off`, or a file for one line a request (the path without its signature).
        metrics: what `/metrics` is served on, like `listen`, for Prometheus and nobody else; empty: nowhere.
    """

    directory: Path
    origins: Sequence[str]
    listen: str
    keys: Path
    workers: str = "auto"
    cache_size: str = "10g"
    log: str = "off"
    metrics: str = ""

    @property
    def argv(self) -> list[str]:
        """The command that runs it in the foreground."""
        nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin") or "nginx"
        return [nginx, "-p", str(self.directory), "-c", str(self.directory / "nginx.conf"), "-g", "daemon off;"]


def write_edge(edge: Edge) -> Path:
    """Write the configuration; gives the path of `nginx.conf`.

    Raises:
        LogcastError: a value cannot stand in nginx's configuration, or nginx's Lua module is not installed.
    """
    source = next((place for place in PLACES if (place / "nginx.conf.template").exists()), None)
    assert source is not None, "the package holds the edge's files"
    template = (source / "nginx.conf.template").read_text("utf-8")
    edge.directory.mkdir(parents=True, exist_ok=True)
    values = _values(edge)
    written = edge.directory / "nginx.conf"
    written.write_text(_VALUE.sub(lambda found: values[found[1]], template), "utf-8")
    for name in COPIED:
        shutil.copyfile(source / name, edge.directory / name)
    return written


def _values(edge: Edge) -> dict[str, str]:
    for origin in edge.origins:
        if _ADDRESS.fullmatch(origin) is None:
            raise LogcastError(f"expected a gateway as HOST:PORT, found {origin}")
    for value in (
        str(edge.directory),
        str(edge.keys),
        edge.listen,
        edge.workers,
        edge.cache_size,
        edge.log,
        edge.metrics or "0",
    ):
        if _SAFE.fullmatch(value) is None:
            raise LogcastError(f"nginx cannot take {value!r}: choose one without spaces, quotes, `;`, `$` and braces")
    modules = next((place for place in MODULES if (place / "ngx_http_lua_module.so").exists()), None)
    if modules is None:
        raise LogcastError("nginx's Lua module is not installed: apt-get install nginx libnginx-mod-http-lua")
    return {
        "LOGCAST_EDGE_DIR": str(edge.directory),
        "LOGCAST_EDGE_CACHE": str(edge.directory / "cache"),
        "LOGCAST_EDGE_CACHE_SIZE": edge.cache_size,
        "LOGCAST_EDGE_FILES": str(min(65_536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])),
        "LOGCAST_EDGE_KEYS": str(edge.keys),
        "LOGCAST_EDGE_LISTEN": edge.listen,
        "LOGCAST_EDGE_LOG": edge.log if edge.log == "off" else f"{edge.log} media",
        "LOGCAST_EDGE_METRICS": METRICS % edge.metrics if edge.metrics else "",
        "LOGCAST_EDGE_MODULES": str(modules),
        "LOGCAST_EDGE_ORIGINS": " ".join(f"server {origin} max_fails=0;" for origin in edge.origins),
        "LOGCAST_EDGE_USER": getpass.getuser(),
        "LOGCAST_EDGE_WORKERS": edge.workers,
    }
