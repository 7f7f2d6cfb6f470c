"""The stream keys of the local stack's own channels, in plain text beside it.

The accounts database keeps hashes only, so a key that is to be printed at every start is kept in `DATA/keys/NAME.key`
(mode 0600). When that file is lost, or no longer opens the channel, the channel gets a new key.
"""

from collections.abc import Iterable
from pathlib import Path

from stores.accounts import Accounts, ChannelExists
from stores.secrets import read_secret, write_secret
from stores.settings import Settings


def key_file(data_dir: Path, channel: str) -> Path:
    """Where the plain key of a channel is, if it is kept at all."""
    return data_dir / "keys" / f"{channel}.key"


async def local_keys(settings: Settings, channels: Iterable[str]) -> dict[str, str]:
    """Make the channels that are absent; give a working stream key for each."""
    async with Accounts.open(settings) as accounts:
        return {name: await _working_key(accounts, name, key_file(settings.data_dir, name)) for name in channels}


async def _working_key(accounts: Accounts, name: str, path: Path) -> str:
    kept = read_secret(path)
    if kept:
        channel = await accounts.channel_of_key(kept)
        if channel and channel.name == name:
            return kept
    try:
        fresh = await accounts.create_channel(name)
    except ChannelExists:
        fresh = await accounts.rotate_key(name)
    return write_secret(path, fresh.stream_key)


def keep_if_kept(data_dir: Path, channel: str, key: str) -> None:
    """After a rotation: bring the plain copy up to date, for a channel that has one."""
    path = key_file(data_dir, channel)
    if path.exists():
        write_secret(path, key)
