"""Logging in at an OpenID Connect provider, over real HTTP: who comes back is who went, and nobody else."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.oidc import KEYS_AGAIN_MS, OidcError, Pending
from gateway.oidc_routes import login_of
from stores.settings import Settings
from tests.gateway.account_site import Site, account_site
from tests.gateway.oidc_server import CLIENT_ID, CLIENT_SECRET, OidcServer, oidc_server


@dataclass
class Login:
    """A browser, our gateway and the provider."""

    site: Site
    provider: OidcServer
    browser: httpx.AsyncClient

    async def there(self, return_to: str = "/watch/ann") -> str:
        """Begin, log in at the provider; gives where it sends the browser back to."""
        begun = await self.browser.get("/v1/auth/oidc/start", params={"return_to": return_to})
        assert begun.status_code == 302, begun.text
        assert "httponly" in begun.headers["set-cookie"].lower()
        async with httpx.AsyncClient() as elsewhere:
            consented = await elsewhere.get(begun.headers["location"])
        back = urlsplit(consented.headers["location"])
        return f"{back.path}?{back.query}"

    async def and_back(self, **more: Any) -> httpx.Response:
        return await self.browser.get(await self.there(**more))


@pytest.fixture
async def login(make_settings: Callable[..., Settings]) -> AsyncIterator[Login]:
    async with oidc_server(lambda: 0) as provider:
        options = {"oidc_issuer": provider.issuer, "oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
        async with account_site(make_settings, **options, public_url="http://gateway") as site:
            provider.now_s = lambda: site.clock() // 1000
            async with site.browser() as browser:
                yield Login(site, provider, browser)


async def test_who_logs_in_at_the_provider_gets_an_account_and_a_session_by_cookie(login: Login) -> None:
    login.provider.claims |= {"email": "ann@example.org", "email_verified": True}
    back = await login.and_back()
    assert (back.status_code, back.headers["location"]) == (303, "/watch/ann")
    fresh = (await login.browser.post("/v1/auth/refresh")).json()
    assert (fresh["user"]["login"], fresh["user"]["name"]) == ("ann", "Ann P.")
    assert "refresh_token" not in fresh
    assert login.site.state.users is not None
    ann = await login.site.state.users.known("ann")
    assert (ann.email, ann.email_verified) == ("ann@example.org", True), "the provider has verified it"
    login.provider.claims |= {"preferred_username": "Renamed", "name": "Another"}
    async with login.site.browser() as login.browser:
        await login.and_back()
        again = (await login.browser.post("/v1/auth/refresh")).json()
    assert again["user"] == fresh["user"], "known by issuer and subject, whatever they are called"
    assert (await login.site.log_in("ann", "")).status_code == 422
    assert (await login.site.log_in("ann")).status_code == 401, "there is no password to log in with"


async def test_an_account_is_not_given_to_who_has_its_name_or_email_at_the_provider(login: Login) -> None:
    ann = await login.site.register("ann", name="Ann P.", email="ann@example.org")
    login.provider.claims |= {"email": "ann@example.org", "email_verified": True}
    assert (await login.and_back()).status_code == 303
    user = (await login.browser.post("/v1/auth/refresh")).json()["user"]
    assert user["id"] != ann.id
    assert user["login"].startswith("ann-")
    assert user["name"] == user["login"], "nor their display name"


def wrong_claims(**values: object) -> Callable[[dict[str, Any]], None]:
    return lambda claims: claims.update(values)


@pytest.mark.parametrize(
    "spoil",
    [
        wrong_claims(iss="https://evil.example"),
        wrong_claims(aud="somebody else"),
        wrong_claims(aud=[CLIENT_ID, "somebody else"]),
        wrong_claims(azp="somebody else"),
        wrong_claims(nonce="of another log-in"),
        wrong_claims(exp=1),
        wrong_claims(sub=""),
        wrong_claims(sub=7),
        lambda claims: claims.pop("nonce"),
        lambda claims: claims.pop("exp"),
        lambda claims: claims.pop("sub"),
    ],
)
async def test_a_token_that_is_not_for_this_log_in_logs_nobody_in(
    login: Login, spoil: Callable[[dict[str, Any]], None]
) -> None:
    login.provider.spoil = spoil
    refused = await login.and_back()
    assert (refused.status_code, refused.json()["reason"]) == (400, "oidc_failed")
    assert "logcast_refresh" not in refused.headers.get("set-cookie", "")


async def test_a_token_signed_by_somebody_else_logs_nobody_in(login: Login) -> None:
    login.provider.spoil_key = True
    assert (await login.and_back()).status_code == 400


async def test_the_keys_of_the_provider_may_change(login: Login) -> None:
    assert (await login.and_back()).status_code == 303
    login.provider.change_keys()
    login.site.clock.now_ms += KEYS_AGAIN_MS
    assert (await login.and_back()).status_code == 303
    assert login.provider.calls.count("discovery") == 1
    assert login.provider.calls.count("keys") == 2


async def test_who_did_not_begin_the_log_in_cannot_end_it(login: Login) -> None:
    theirs = await login.there()
    async with login.site.browser() as victim:
        assert (await victim.get(theirs)).status_code == 400, "an address that was sent to somebody logs nobody in"
        mine = Login(login.site, login.provider, victim)
        await mine.there()
        assert (await victim.get(theirs)).status_code == 400, "nor when they have begun one of their own"
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    assert code in login.provider.codes, "the code was not even shown to the provider"


async def test_a_code_is_of_no_use_without_the_verifier_and_a_second_time(login: Login) -> None:
    back = await login.there()
    code = parse_qs(urlsplit(back).query)["code"][0]
    stolen = Pending.new("/", login.site.clock())
    with pytest.raises(OidcError, match="does not take the code"):
        await login.site.auth.oidc.claims(code, stolen, "http://gateway/v1/auth/oidc/callback")
    assert (await login.browser.get(back)).status_code == 400


async def test_a_log_in_that_takes_too_long_or_is_refused_is_over(login: Login) -> None:
    back = await login.there()
    refused = await login.browser.get("/v1/auth/oidc/callback", params={"error": "access_denied", "state": "x"})
    assert refused.status_code == 400
    login.site.clock.now_ms += 600_000
    late = await login.browser.get(back)
    assert "took too long" in late.json()["detail"]


@pytest.mark.parametrize(
    "return_to",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/a\r\nSet-Cookie: x"],
)
async def test_a_log_in_ends_at_no_other_site(login: Login, return_to: str) -> None:
    refused = await login.browser.get("/v1/auth/oidc/start", params={"return_to": return_to})
    assert (refused.status_code, refused.json()["reason"]) == (400, "bad_return_to")


async def test_a_provider_that_is_away_or_somebody_else_is_named(make_settings: Callable[..., Settings]) -> None:
    async with oidc_server(lambda: 0) as provider:
        for issuer in (provider.issuer + "/", "http://127.0.0.1:1"):
            options = {"oidc_issuer": issuer, "oidc_client_id": CLIENT_ID}
            async with account_site(make_settings, **options) as site:
                away = await site.client.get("/v1/auth/oidc/start")
            assert (away.status_code, away.json()["reason"]) == (502, "provider_away")
    async with account_site(make_settings) as site:
        assert (await site.client.get("/v1/auth/oidc/start")).json()["reason"] == "no_provider"


@pytest.mark.parametrize(
    ("wanted", "login"),
    [
        ("Ann P.", "ann-p"),
        ("", "viewer"),
        ("Ö", "viewer"),
        ("admin", "viewer"),
        ("x" * 99, "x" * 32),
        ("__ann__", "ann"),
    ],
)
def test_a_login_is_made_of_what_the_provider_suggests(wanted: str, login: str) -> None:
    assert login_of(wanted) == login
