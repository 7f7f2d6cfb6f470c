"""The file of the keys that sign links: one `ID SECRET` a line, the newest first; `#` begins a comment.

The first key signs, all of them verify. A rotation writes a new key before the others; links of a key that is taken out end
at once. Gateways and edges read the file again when it changes.
"""

import re
import secrets
from pathlib import Path
from typing import Final

from stores.secrets import SECRET_BYTES, write_secret
from stores.settings import Settings

MIN_SECRET_CHARS: Final = 32
KEPT: Final = 3
"""Keys that a rotation leaves in the file, the new one among them."""

_LINE = re.compile(r"([a-z0-9]{1,16})[ \t]+([A-Za-z0-9_-]+)")


class LinkKeysError(ValueError):
    """The file cannot be read, or a line of it has no sense; no secret is repeated."""


def link_keys_path(settings: Settings) -> Path:
    """Where the keys are."""
    return settings.link_keys_file or settings.data_dir / "keys" / "links.keys"


def parse_link_keys(text: str) -> list[tuple[str, str]]:
    """Ids and secrets, the one that signs first.

    Raises:
        LinkKeysError: a line is wrong, or an id comes twice.
    """
    keys: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.partition("#")[0].strip()
        if not bare:
            continue
        found = _LINE.fullmatch(bare)
        if found is None or len(found[2]) < MIN_SECRET_CHARS or found[1] in keys:
            raise LinkKeysError(
                f"line {number}: expected `ID SECRET`, a new id of a-z0-9 and a secret of at least {MIN_SECRET_CHARS} of A-Za-z0-9_-"
            )
        keys[found[1]] = found[2]
    return list(keys.items())


def read_link_keys(path: Path) -> list[tuple[str, str]]:
    """The keys of a file; none when it is absent.

    Raises:
        LinkKeysError.
    """
    try:
        return parse_link_keys(path.read_text("ascii"))
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError, LinkKeysError) as error:
        raise LinkKeysError(f"cannot use the link keys in {path}: {error}") from error


def ensure_link_keys(path: Path) -> None:
    """Make the file with a first key when it is absent or empty."""
    if not read_link_keys(path):
        rotate_link_keys(path)


def rotate_link_keys(path: Path, keep: int = KEPT) -> list[str]:
    """Put a new key before the others, of which `keep - 1` stay; gives the ids that are there now.

    Raises:
        LinkKeysError: the file that is there cannot be read; it is left as it is.
    """
    old = read_link_keys(path)
    taken = {name for name, _ in old}
    number = next(n for n in range(1, len(taken) + 2) if f"k{n}" not in taken)
    keys = [(f"k{number}", secrets.token_urlsafe(SECRET_BYTES)), *old][:keep]
    write_secret(path, "\n".join(f"{name} {secret}" for name, secret in keys))
    return [name for name, _ in keys]
