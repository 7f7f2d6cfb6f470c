"""Logging in and out: what opens a session, what ends it, and what somebody else can make of it."""

from collections.abc import AsyncIterator, Callable
from http.cookies import SimpleCookie

import httpx
import pytest

from gateway import auth_passwords
from gateway.auth import COOKIE
from gateway.auth_passwords import Passwords
from stores.sessions import RACE_MS
from stores.settings import Settings, load_settings
from tests.gateway.account_site import CHEAP, PASSWORD, Site, account_site


@pytest.fixture
async def site(make_settings: Callable[..., Settings], database_url: str) -> AsyncIterator[Site]:
    async with account_site(make_settings, database_url=database_url) as site:
        yield site


async def test_who_registers_is_logged_in_and_known_everywhere(site: Site) -> None:
    ann = await site.register("ann", name="Ann Ä.", email="ann@example.org")
    me = (await ann.call("GET", "/v1/me")).json()
    assert (me["id"], me["number"], me["login"], me["name"], me["email"]) == (
        ann.id,
        1,
        "ann",
        "Ann Ä.",
        "ann@example.org",
    )
    assert (me["guest"], me["admin"], me["roles"], me["follows"]) == (False, False, [], [])
    shown = (await site.client.get("/v1/users/ann")).json()
    assert shown == {"id": ann.id, "number": 1, "login": "ann", "name": "Ann Ä.", "colour": "", "avatar": ""}
    assert (await site.client.get("/v1/users/nobody")).status_code == 404
    assert (await site.client.get("/v1/users/%00")).status_code == 404


async def test_one_logs_in_with_the_password_and_with_no_other(site: Site) -> None:
    await site.register("ann")
    again = await site.log_in(" ANN ")
    assert again.status_code == 200
    assert again.json()["token_type"] == "Bearer"
    assert again.headers["cache-control"] == "no-store"
    for wrong in (PASSWORD + " ", PASSWORD.upper(), "x", "' OR '1'='1"):
        assert (await site.log_in("ann", wrong)).status_code == 401


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)  # nothing comes as far as the database
@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        ({"password": PASSWORD}, "login", "required"),
        ({"login": 7, "password": PASSWORD}, "login", "type"),
        ({"login": "a", "password": PASSWORD}, "login", "length"),
        ({"login": "Ann B", "password": PASSWORD}, "login", "characters"),
        ({"login": "ann'; DROP TABLE users; --", "password": PASSWORD}, "login", "characters"),
        ({"login": "ann", "password": "short"}, "password", "length"),
        ({"login": "ann", "password": "x" * 257}, "password", "length"),
        ({"login": "ann", "password": "password123"}, "password", "common"),
        ({"login": "ann", "password": "aaaaaaaaaaaa"}, "password", "common"),
        ({"login": "longenough", "password": "LongEnough"}, "password", "common"),
        ({"login": "ann", "password": PASSWORD + "\0"}, "password", "characters"),
        ({"login": "operator", "password": PASSWORD}, "login", "reserved"),
        ({"login": "ann", "password": PASSWORD, "name": "<script>alert(1)</script>"}, "name", "characters"),
        ({"login": "ann", "password": PASSWORD, "name": "\u202e"}, "name", "length"),
        ({"login": "ann", "password": PASSWORD, "name": "Operator"}, "name", "reserved"),
        ({"login": "ann", "password": PASSWORD, "email": "a@b\nBcc: c@d.example"}, "email", "form"),
        ({"login": "ann", "password": PASSWORD, "cookie": 1}, "cookie", "type"),
        ({"login": "ann", "password": PASSWORD, "admin": True}, "admin", "unknown"),
    ],
)
async def test_a_wrong_field_is_named_with_its_rule(site: Site, body: object, field: str, rule: str) -> None:
    refused = await site.post("/v1/auth/register", body)
    values = refused.json()
    assert (refused.status_code, values["field"], values["rule"]) == (422, field, rule)
    assert values["errors"][0].keys() == {"field", "rule", "message"}
    assert await site.state.users.every() == [] if site.state.users else False


async def test_every_wrong_field_is_named_at_once(site: Site) -> None:
    refused = (await site.post("/v1/auth/register", {"login": "?", "password": "", "more": 1})).json()
    assert [error["field"] for error in refused["errors"]] == ["login", "password", "more"]


async def test_a_taken_name_is_refused_also_when_it_only_looks_the_same(site: Site) -> None:
    await site.register("ann")
    for login, name in (("ann", "Another"), ("a-nn", "Another"), ("ben", "ＡＮＮ")):  # noqa: RUF001  (that is the point)
        refused = await site.post("/v1/auth/register", {"login": login, "password": PASSWORD, "name": name})
        assert (refused.status_code, refused.json()["rule"]) == (409, "taken")


async def test_a_name_that_looks_like_markup_in_another_way_is_plain_data(site: Site) -> None:
    name = '"&lt;img onerror=1&gt;" {{7*7}} ${1}'
    ann = await site.register("ann", name=name[:32])
    answer = await ann.call("GET", "/v1/me")
    assert answer.json()["name"] == " ".join(name[:32].split())
    assert answer.headers["content-type"] == "application/json"


# -- enumeration


async def test_nobody_is_told_apart_from_a_wrong_password_by_answer_or_by_work(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.register("ann")
    await site.log_in("nobody", "warm it up")
    verified = []
    real = Passwords._verify

    def counted(passwords: Passwords, password_hash: str, password: str) -> bool:
        verified.append(password_hash.split("$")[3])
        return real(passwords, password_hash, password)

    monkeypatch.setattr(Passwords, "_verify", counted)
    answers = [await site.log_in(login, "not the password") for login in ("ann", "nobody", "no such login form!")]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert len(verified) == 3, "each took one comparison"
    assert len(set(verified)) == 1, "with the same parameters"


async def test_guessing_is_slowed_down_alike_for_who_exists_and_who_does_not(
    make_settings: Callable[..., Settings],
) -> None:
    async with account_site(make_settings, attempts_per_minute=4) as site:
        site.stop_the_clock_of_limits()
        await site.register("ann")

        async def tried(login: str, address: str) -> list[int]:
            headers = {"X-Forwarded-For": address}
            body = {"login": login, "password": "not the password"}
            return [(await site.post("/v1/auth/login", body, **headers)).status_code for _ in range(6)]

        assert await tried("ann", "192.0.2.1") == await tried("nobody", "192.0.2.2") == [401] * 4 + [429] * 2
        refused = await site.post(
            "/v1/auth/login", {"login": "ann", "password": "x"}, **{"X-Forwarded-For": "192.0.2.1"}
        )
        assert (refused.status_code, refused.json()["reason"]) == (429, "too_fast")
        assert int(refused.headers["retry-after"]) >= 1
        assert (await site.log_in("ann")).status_code == 200, "from elsewhere Ann still gets in"
        many = [await tried("ann", f"198.51.100.{n}") for n in range(8)]
        assert sum(codes.count(401) for codes in many) == 11, "many addresses together do not guess without end"


async def test_registrations_of_an_address_are_limited(make_settings: Callable[..., Settings]) -> None:
    async with account_site(make_settings, attempts_per_minute=2) as site:
        site.stop_the_clock_of_limits()
        bodies = [{"login": f"ann{n}", "password": PASSWORD} for n in range(6)]
        codes = [(await site.post("/v1/auth/register", body)).status_code for body in bodies]
    assert codes == [201] * 4 + [429] * 2


async def test_who_there_is_cannot_be_listed_quickly(site: Site) -> None:
    site.stop_the_clock_of_limits()
    codes = [(await site.client.get(f"/v1/users/user{n}")).status_code for n in range(62)]
    assert codes == [404] * 60 + [429] * 2


# -- sessions


async def test_an_access_token_lasts_some_minutes_and_a_refresh_token_gives_another(site: Site) -> None:
    ann = await site.register("ann")
    site.clock.now_ms += site.state.settings.access_token_s * 1000
    old = await ann.call("GET", "/v1/me")
    assert (old.status_code, old.json()["reason"]) == (401, "bad_token")
    fresh = (await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})).json()
    ann.access = fresh["access_token"]
    assert (await ann.call("GET", "/v1/me")).status_code == 200
    assert fresh["refresh_token"] != ann.refresh


async def test_a_stolen_refresh_token_ends_the_session_when_it_comes_again(site: Site) -> None:
    ann = await site.register("ann")
    thief = (await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})).json()
    site.clock.now_ms += RACE_MS + 1
    noticed = await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})
    assert (noticed.status_code, noticed.json()["reason"]) == (401, "token_reused")
    ended = await site.post("/v1/auth/refresh", {"refresh_token": thief["refresh_token"]})
    assert (ended.status_code, ended.json()["reason"]) == (401, "session_over")
    assert (await ann.call("GET", "/v1/me")).json()["reason"] == "session_over"


async def test_a_refresh_that_raced_another_gets_nothing_and_ends_nothing(site: Site) -> None:
    ann = await site.register("ann")
    first = await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})
    raced = await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})
    assert (raced.status_code, raced.json()["reason"]) == (409, "refresh_raced")
    assert "token" not in raced.text.replace("refresh token", "")
    assert (await site.post("/v1/auth/refresh", {"refresh_token": first.json()["refresh_token"]})).status_code == 200


async def test_one_sees_and_ends_ones_own_sessions_and_nobody_elses(site: Site) -> None:
    ann, ben = await site.register("ann"), await site.register("ben")
    await site.log_in("ann")
    rows = (await ann.call("GET", "/v1/auth/sessions")).json()["sessions"]
    assert [row["current"] for row in rows].count(True) == 1
    assert len(rows) == 2
    other = next(row["id"] for row in rows if not row["current"])
    assert (await ben.call("DELETE", f"/v1/auth/sessions/{other}")).status_code == 404
    assert (await ann.call("DELETE", f"/v1/auth/sessions/{other}")).status_code == 204
    assert (await ann.call("DELETE", f"/v1/auth/sessions/{other}")).status_code == 404
    await site.log_in("ann")
    assert (await ann.call("DELETE", "/v1/auth/sessions")).status_code == 204
    assert len((await ann.call("GET", "/v1/auth/sessions")).json()["sessions"]) == 1
    assert (await ben.call("GET", "/v1/me")).status_code == 200


async def test_logging_out_ends_the_session_of_what_was_shown(site: Site) -> None:
    ann = await site.register("ann")
    assert (await ann.call("POST", "/v1/auth/logout")).status_code == 204
    assert (await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})).json()["reason"] == "session_over"
    again = (await site.log_in("ann")).json()["refresh_token"]
    assert (await site.post("/v1/auth/logout", {"refresh_token": again})).status_code == 204
    assert (await site.post("/v1/auth/refresh", {"refresh_token": again})).status_code == 401
    assert (await site.post("/v1/auth/logout")).status_code == 204, "nothing to end is as good"


# -- the browser


def cookie_of(answer: httpx.Response) -> SimpleCookie:
    return SimpleCookie(answer.headers["set-cookie"])


async def test_a_browser_gets_a_cookie_that_no_script_and_no_other_site_can_use(site: Site) -> None:
    await site.register("ann")
    async with site.browser() as browser:
        logged_in = await browser.post("/v1/auth/login", json={"login": "ann", "password": PASSWORD, "cookie": True})
        assert "refresh_token" not in logged_in.json()
        morsel = cookie_of(logged_in)[COOKIE]
        assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "strict", "/v1/auth")
        refreshed = await browser.post("/v1/auth/refresh")
        assert refreshed.status_code == 200
        assert "refresh_token" not in refreshed.json()
        assert cookie_of(refreshed)[COOKIE].value != morsel.value
        out = await browser.post("/v1/auth/logout")
        assert (out.status_code, cookie_of(out)[COOKIE]["max-age"]) == (204, "0")
        assert (await browser.post("/v1/auth/refresh")).json()["reason"] == "no_session"


async def test_the_cookie_goes_over_https_only_where_the_page_does(make_settings: Callable[..., Settings]) -> None:
    async with account_site(make_settings, public_url="https://live.example") as site:
        await site.register("ann")
        body = {"login": "ann", "password": PASSWORD, "cookie": True}
        secure = await site.post("/v1/auth/login", body, Origin="https://live.example")
        assert cookie_of(secure)[COOKIE]["secure"] is True
        assert (await site.post("/v1/auth/login", body, Origin="http://gateway")).status_code == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://gateway.evil.example", "http://gateway:81"]
)
async def test_another_site_can_do_nothing_with_the_cookie(site: Site, origin: str | None) -> None:
    await site.register("ann")
    async with site.browser() as browser:
        body = {"login": "ann", "password": PASSWORD, "cookie": True}
        await browser.post("/v1/auth/login", json=body)
        del browser.headers["origin"]
        headers = {"Origin": origin} if origin else {}
        for path in ("/v1/auth/refresh", "/v1/auth/logout"):
            refused = await browser.post(path, headers=headers)
            assert (refused.status_code, refused.json()["reason"]) == (403, "wrong_origin")
        forced = await browser.post("/v1/auth/login", json=body, headers=headers)
        assert forced.status_code == 403, "nor log the browser in as somebody of its choice"
        assert "set-cookie" not in forced.headers
        assert (await browser.post("/v1/auth/refresh", headers={"Origin": "http://gateway"})).status_code == 200


async def test_a_session_that_somebody_prepared_is_not_taken_over_by_a_log_in(site: Site) -> None:
    await site.register("mallory")
    await site.register("ann")
    planted = (await site.log_in("mallory")).json()["refresh_token"]
    async with site.browser() as browser:
        browser.cookies.set(COOKIE, planted, domain="gateway.local", path="/v1/auth")
        headers = {"Cookie": f"{COOKIE}={planted}"}
        body = {"login": "ann", "password": PASSWORD, "cookie": True}
        logged_in = await browser.post("/v1/auth/login", json=body, headers=headers)
        assert cookie_of(logged_in)[COOKIE].value != planted
    known = await site.post("/v1/auth/refresh", {"refresh_token": planted})
    assert known.status_code == 401, "what was planted is over, and never was Ann's"


# -- passwords


async def test_another_password_ends_every_other_session(site: Site) -> None:
    ann = await site.register("ann")
    other = (await site.log_in("ann")).json()["refresh_token"]
    wrong = await ann.call("POST", "/v1/auth/password", {"password": "not it", "new_password": "battery staple"})
    assert (wrong.status_code, wrong.json()["field"], wrong.json()["rule"]) == (422, "password", "wrong")
    body = {"password": PASSWORD, "new_password": "battery staple"}
    assert (await ann.call("POST", "/v1/auth/password", body)).status_code == 204
    assert (await site.post("/v1/auth/refresh", {"refresh_token": other})).status_code == 401
    assert (await ann.call("GET", "/v1/me")).status_code == 200
    assert (await site.log_in("ann")).status_code == 401
    assert (await site.log_in("ann", "battery staple")).status_code == 200


async def test_a_reset_gives_a_new_password_once(site: Site) -> None:
    ann = await site.register("ann")
    assert site.state.sessions is not None
    token = await site.state.sessions.new_reset(1, 60_000)
    weak = await site.post("/v1/auth/password/reset", {"token": token, "password": "password1"})
    assert weak.status_code == 422, "and the token still works"
    body = {"token": token, "password": "battery staple"}
    assert (await site.post("/v1/auth/password/reset", body)).status_code == 204
    again = await site.post("/v1/auth/password/reset", body)
    assert (again.status_code, again.json()["reason"]) == (410, "reset_over")
    assert (await ann.call("GET", "/v1/me")).status_code == 401
    assert (await site.log_in("ann", "battery staple")).status_code == 200


async def test_a_hash_of_older_parameters_is_renewed_at_the_next_log_in(site: Site) -> None:
    older = Passwords(load_settings(**(CHEAP | {"argon2_time_cost": 2})))
    assert site.state.users is not None
    await site.state.users.create("ann", await older.hash(PASSWORD))
    older.close()
    assert (await site.log_in("ann")).status_code == 200
    found = await site.state.users.password_hash("ann")
    assert found is not None
    assert "t=1," in str(found[1])
    assert (await site.log_in("ann")).status_code == 200


async def test_when_too_many_hash_at_once_the_next_is_told_to_come_back(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_passwords, "MOST_WAITING", 0)
    busy = await site.log_in("ann")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")


async def test_who_registers_where_only_the_operator_makes_accounts_is_told(
    make_settings: Callable[..., Settings],
) -> None:
    async with account_site(make_settings, registration="closed") as site:
        refused = await site.post("/v1/auth/register", {"login": "ann", "password": PASSWORD})
    assert (refused.status_code, refused.json()["reason"]) == (403, "registration_closed")


async def test_no_password_or_token_is_in_a_log(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    ann = await site.register("ann")
    await site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})
    written = caplog.text
    assert PASSWORD not in written
    assert ann.access not in written
