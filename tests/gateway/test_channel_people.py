"""What accounts do with channels: make them, rotate keys, give roles, follow; and nothing with channels of others."""

from collections.abc import AsyncIterator, Callable

import pytest
from starlette.routing import Route

from gateway.guests import new_guest
from gateway.guests import token_of as guest_token
from stores.settings import Settings
from tests.gateway.account_site import PASSWORD, Person, Site, account_site


@pytest.fixture
async def site(make_settings: Callable[..., Settings], database_url: str) -> AsyncIterator[Site]:
    async with account_site(make_settings, database_url=database_url, channels_per_user=2) as site:
        yield site


async def with_channel(site: Site, login: str) -> tuple[Person, str]:
    person = await site.register(login)
    made = await person.call("POST", "/v1/channels", {"name": f"{login}-tv", "title": f"{login} paints"})
    assert made.status_code == 201, made.text
    return person, made.json()["stream_key"]


async def test_an_account_makes_a_channel_and_its_key_is_shown_once(site: Site) -> None:
    ann, key = await with_channel(site, "ann")
    assert site.state.accounts is not None
    channel = await site.state.accounts.channel_of_key(key)
    assert channel is not None
    assert (channel.name, channel.title) == ("ann-tv", "ann paints")
    assert (await ann.call("GET", "/v1/me")).json()["roles"] == [{"channel": "ann-tv", "role": "owner"}]
    changed = await ann.call("PATCH", "/v1/channels/ann-tv", {"keep_days": 3})
    assert (changed.status_code, changed.json()["keep_days"]) == (200, 3)
    rotated = (await ann.call("POST", "/v1/channels/ann-tv/key")).json()["stream_key"]
    assert await site.state.accounts.channel_of_key(key) is None
    assert await site.state.accounts.channel_of_key(rotated) == await site.state.accounts.channel("ann-tv")


async def test_a_channel_of_a_wrong_or_taken_name_or_too_many_is_refused(site: Site) -> None:
    ann, _ = await with_channel(site, "ann")
    for body, status, rule in (
        ({"name": "Ann TV"}, 422, "characters"),
        ({}, 422, "required"),
        ({"name": "ann-2", "title": "two\nlines"}, 422, "characters"),
        ({"name": "ann-tv"}, 409, "taken"),
    ):
        refused = await ann.call("POST", "/v1/channels", body)
        assert (refused.status_code, refused.json()["rule"]) == (status, rule)
    assert (await ann.call("POST", "/v1/channels", {"name": "ann-2"})).status_code == 201
    third = await ann.call("POST", "/v1/channels", {"name": "ann-3"})
    assert (third.status_code, third.json()["reason"]) == (403, "too_many_channels")


async def test_an_owner_gives_and_takes_roles(site: Site) -> None:
    ann, _ = await with_channel(site, "ann")
    ben = await site.register("ben")
    path = "/v1/channels/ann-tv/roles"
    assert (await ben.call("GET", path)).status_code == 403
    granted = await ann.call("PUT", f"{path}/@ben", {"role": "moderator"})
    assert (granted.json()["role"], granted.json()["granted_by"]) == ("moderator", ann.id)
    rows = (await ben.call("GET", path)).json()["roles"]
    assert [(row["user"]["login"], row["role"]) for row in rows] == [("ann", "owner"), ("ben", "moderator")]
    assert (await ben.call("PUT", f"{path}/ben", {"role": "owner"})).status_code == 403, "a moderator makes no owners"
    assert (await ann.call("PUT", f"{path}/nobody", {"role": "owner"})).status_code == 404
    assert (await ann.call("PUT", f"{path}/ben", {"role": "king"})).json()["rule"] == "choice"
    assert (await ann.call("DELETE", f"{path}/{ann.id}")).json()["reason"] == "last_owner"
    assert (await ben.call("DELETE", f"{path}/{ben.id}")).status_code == 204, "one may step down"
    assert (await ben.call("GET", path)).status_code == 403


async def test_who_has_a_role_in_one_channel_has_none_in_another(site: Site) -> None:
    ann, ann_key = await with_channel(site, "ann")
    ben, _ = await with_channel(site, "ben")
    moira = await site.register("moira")
    await ann.call("PUT", "/v1/channels/ann-tv/roles/moira", {"role": "moderator"})
    calls = [
        ("GET", "/v1/channels/ben-tv/roles", None),
        ("PUT", "/v1/channels/ben-tv/roles/moira", {"role": "owner"}),
        ("DELETE", "/v1/channels/ben-tv/roles/ben", None),
        ("POST", "/v1/channels/ben-tv/key", None),
        ("PATCH", "/v1/channels/ben-tv", {"title": "mine now"}),
        ("POST", "/v1/channels/ben-tv/links", {}),
        ("POST", "/v1/channels/ben-tv/cues", {"seconds": 30}),
        ("GET", "/v1/channels/ben-tv/owner", None),
    ]
    for person in (ann, moira):
        for method, path, body in calls:
            assert (await person.call(method, path, body)).status_code == 403, (method, path)
    keyed = Person(site.client, "", ann_key, "")
    guest = Person(site.client, "", guest_token(new_guest("Gus", b"0" * 10), site.state.secret, site.clock()), "")
    nobody = Person(site.client, "", "la_x.y", "")
    for person in (keyed, guest, nobody):
        for method, path, body in calls:
            assert (await person.call(method, path, body)).status_code == 401, (method, path)
    assert (await ben.call("GET", "/v1/channels/ben-tv/owner")).status_code == 204


async def test_a_stream_key_steers_its_channel_but_gives_no_roles_and_no_keys(site: Site) -> None:
    await with_channel(site, "ann")
    await site.register("mallory")
    assert site.state.accounts is not None
    key = (await site.state.accounts.rotate_key("ann-tv")).stream_key
    leaked = Person(site.client, "", key, "")
    assert (await leaked.call("GET", "/v1/channels/ann-tv/owner")).status_code == 204
    assert (await leaked.call("POST", "/v1/channels/ann-tv/key")).status_code == 401
    assert (await leaked.call("PUT", "/v1/channels/ann-tv/roles/mallory", {"role": "owner"})).status_code == 401
    assert (await leaked.call("POST", "/v1/channels", {"name": "more"})).status_code == 401


async def test_the_operator_gives_roles_and_keys_everywhere(site: Site) -> None:
    await site.register("ann")
    assert site.state.accounts is not None
    await site.state.accounts.create_channel("club")
    operator = Person(site.client, "", site.state.settings.admin_token.get_secret_value(), "")
    granted = await operator.call("PUT", "/v1/channels/club/roles/ann", {"role": "owner"})
    assert granted.json()["granted_by"] == "operator"
    assert (await operator.call("POST", "/v1/channels/club/key")).status_code == 200
    assert (await operator.call("POST", "/v1/channels/none/key")).status_code == 404
    assert (await operator.call("POST", "/v1/channels/%00/key")).status_code == 404


async def test_a_role_of_an_ended_session_gives_no_more_keys(site: Site) -> None:
    ann, _ = await with_channel(site, "ann")
    await ann.call("POST", "/v1/auth/logout")
    refused = await ann.call("POST", "/v1/channels/ann-tv/key")
    assert (refused.status_code, refused.json()["reason"]) == (401, "session_over")


async def test_following_is_ones_own_and_again_is_the_same(site: Site) -> None:
    ann, _ = await with_channel(site, "ann")
    ben = await site.register("ben")
    for _ in range(2):
        assert (await ben.call("PUT", "/v1/channels/ann-tv/follow")).status_code == 204
    assert (await ben.call("GET", "/v1/me")).json()["follows"] == ["ann-tv"]
    assert (await ann.call("GET", "/v1/me")).json()["follows"] == []
    assert (await ben.call("DELETE", "/v1/channels/ann-tv/follow")).status_code == 204
    assert (await ben.call("GET", "/v1/me")).json()["follows"] == []
    assert (await ben.call("PUT", "/v1/channels/none/follow")).status_code == 404
    assert (await site.client.put("/v1/channels/ann-tv/follow")).status_code == 401


async def test_a_profile_is_changed_and_the_new_token_says_so(site: Site) -> None:
    ann = await site.register("ann")
    body = {"name": "Ann P.", "colour": "#AABBCC", "avatar": "https://pics.example/a.png?x=1"}
    changed = (await ann.call("PATCH", "/v1/me", body)).json()
    assert (changed["name"], changed["colour"], changed["avatar"]) == ("Ann P.", "#aabbcc", body["avatar"])
    identity = await site.state_identity(changed["access_token"])
    assert (identity.name, identity.colour) == ("Ann P.", "#aabbcc")
    for field, value, rule in (
        ("name", "<b>", "characters"),
        ("name", "", "length"),
        ("colour", "red;background:url(x)", "length"),
        ("colour", "reddish", "form"),
        ("avatar", "javascript:alert(1)", "form"),
        ("avatar", 'https://x.example/"onload="alert(1)', "form"),
        ("avatar", "http://x.example/a.png", "form"),
        ("login", "eve", "unknown"),
        ("admin", True, "unknown"),
    ):
        refused = (await ann.call("PATCH", "/v1/me", {field: value})).json()
        assert (refused["field"], refused["rule"]) == (field, rule)
    assert (await ann.call("PATCH", "/v1/me", {})).json()["rule"] == "required"
    await site.register("ben")
    assert (await ann.call("PATCH", "/v1/me", {"name": "B E N"})).status_code == 409


async def test_where_a_reset_is_sent_is_changed_with_the_password_only(site: Site) -> None:
    ann = await site.register("ann", email="ann@example.org")
    for body in ({"email": "eve@example.org"}, {"email": "eve@example.org", "password": "not it"}):
        refused = (await ann.call("PATCH", "/v1/me", body)).json()
        assert (refused["field"], refused["rule"]) == ("password", "wrong")
    changed = await ann.call("PATCH", "/v1/me", {"email": "new@example.org", "password": PASSWORD})
    assert changed.json()["email"] == "new@example.org"


async def test_a_guest_and_a_stream_key_know_who_they_are_and_change_nothing(site: Site) -> None:
    _, key = await with_channel(site, "ann")
    guest = Person(site.client, "", guest_token(new_guest("Gus", b"0" * 10), site.state.secret, site.clock()), "")
    me = (await guest.call("GET", "/v1/me")).json()
    assert (me["name"], me["guest"], me["number"]) == ("Gus", True, 0)
    me = (await Person(site.client, "", key, "").call("GET", "/v1/me")).json()
    assert (me["guest"], me["roles"]) == (False, [{"channel": "ann-tv", "role": "owner"}])
    refused = await guest.call("PATCH", "/v1/me", {"name": "Ann"})
    assert (refused.status_code, refused.json()["reason"]) == (401, "account_needed")


async def test_what_the_api_description_says_of_accounts_is_what_is_there(site: Site) -> None:
    paths = (await site.client.get("/v1/openapi.json")).json()["paths"]
    described = {(path, method.upper()) for path in paths for method in paths[path]}
    mine = ("/v1/auth", "/v1/me", "/v1/users", "/v1/channels/{channel}/roles", "/v1/channels/{channel}/key")
    served = {
        (route.path, method)
        for route in site.app.routes
        if isinstance(route, Route) and route.path.startswith(mine)
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == {(path, method) for path, method in described if path.startswith(mine)}
    assert len(served) >= 16
