"""The keys that sign links, read again when their file has changed."""

import logging
import time
from pathlib import Path
from typing import Final

from gateway.problems import Problem
from gateway.signed_links import Link, LinkKey, link_of, token_of
from stores.link_keys import LinkKeysError, read_link_keys

log = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0


class LinkKeys:
    """Signs and checks with the keys of one file. A file that turns wrong leaves the keys as they were."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[str, LinkKey] = {}
        self._stamp: tuple[int, int, int] | None = None
        self._next_look_s = 0.0

    def link(self, token: str, now_ms: int) -> Link:
        """The link of a token; see `link_of` for errors."""
        return link_of(token, self._current(), now_ms / 1000)

    def token(self, link: Link) -> str:
        """The token of a link, signed by the first key.

        Raises:
            Problem: 503, there is no key.
        """
        key = next(iter(self._current().values()), None)
        if key is None:
            detail = "no key signs links here: `logcast edge rotate-key` makes one"
            raise Problem(503, "no_link_keys", detail, headers={"Retry-After": "60"})
        return token_of(link, key)

    def _current(self) -> dict[str, LinkKey]:
        now_s = time.monotonic()
        if now_s >= self._next_look_s:
            self._next_look_s = now_s + LOOK_EVERY_S
            self._look()
        return self._keys

    def _look(self) -> None:
        try:
            status = self._path.stat()
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
        except OSError:
            stamp = None
        if stamp == self._stamp:
            return
        try:
            self._keys = {name: LinkKey(name, secret.encode()) for name, secret in read_link_keys(self._path)}
            self._stamp = stamp
        except LinkKeysError as error:
            log.error("%s; the keys stay as they were", error)  # noqa: TRY400  (the sentence is enough)
