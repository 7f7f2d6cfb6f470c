"""The secrets of a data directory: made once, kept in files that only their owner reads."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Secrets:
    """What every process of one installation shares. Never shown by `repr`."""

    admin_token: str = field(repr=False)
    guest_secret: str = field(repr=False)


def ensure_secrets(data_dir: Path) -> Secrets:
    """Read the secrets of `data_dir`; make those that are absent (`keys/admin.token`, `keys/guest.secret`)."""
    keys = data_dir / "keys"
    return Secrets(ensure_secret(keys / "admin.token"), ensure_secret(keys / "guest.secret"))


def ensure_secret(path: Path) -> str:
    """The secret in `path`, or a new one (256 bits, URL-safe) that is written there first."""
    if found := read_secret(path):
        return found
    return write_secret(path, secrets.token_urlsafe(SECRET_BYTES))


def read_secret(path: Path) -> str | None:
    """What the file holds, without the line's end; None when it is absent or empty."""
    try:
        return path.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def write_secret(path: Path, secret: str) -> str:
    """Put `secret` into a file of mode 0600, whole or not at all; gives it back."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secret + "\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    return secret
