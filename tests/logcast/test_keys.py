from logcast.keys import keep_if_kept, key_file, local_keys
from stores.accounts import Accounts
from stores.settings import Settings


async def opens(settings: Settings, key: str) -> str | None:
    async with Accounts.open(settings) as accounts:
        channel = await accounts.channel_of_key(key)
        return channel.name if channel else None


async def test_channels_are_made_once_and_keep_their_keys(settings: Settings) -> None:
    keys = await local_keys(settings, ("demo", "my-channel"))
    assert await local_keys(settings, ("demo", "my-channel")) == keys
    assert [await opens(settings, key) for key in keys.values()] == ["demo", "my-channel"]


async def test_a_lost_key_is_made_anew_and_the_old_one_ends(settings: Settings) -> None:
    old = (await local_keys(settings, ("demo",)))["demo"]
    key_file(settings.data_dir, "demo").unlink()
    new = (await local_keys(settings, ("demo",)))["demo"]
    assert await opens(settings, old) is None
    assert await opens(settings, new) == "demo"


async def test_a_kept_key_that_opens_nothing_is_made_anew(settings: Settings) -> None:
    keys = await local_keys(settings, ("demo", "my-channel"))
    keep_if_kept(settings.data_dir, "demo", keys["my-channel"])  # a key, but of another channel
    assert await opens(settings, (await local_keys(settings, ("demo",)))["demo"]) == "demo"


async def test_only_channels_that_have_a_plain_copy_get_another(settings: Settings) -> None:
    keep_if_kept(settings.data_dir, "other", "lc_x")
    assert not key_file(settings.data_dir, "other").exists()
