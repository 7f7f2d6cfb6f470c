"""An address for mail is its user's once the link of a mail was used; on SQLite and on PostgreSQL, over a real mail server."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.auth import MAILS_AT_ONCE
from gateway.authors import must_be_verified, unverified_may_comment
from gateway.identity import Identity
from gateway.problems import Problem
from schemas.events import ChannelRules
from schemas.ids import UserId
from stores.roles import Role
from stores.settings import Settings, load_settings
from tests.gateway.account_site import PASSWORD, Person, Site, account_site
from tests.gateway.smtp_server import SmtpServer, smtp_server
from tests.waiting import eventually

PUBLIC = "https://tv.example"


@dataclass
class Posted:
    """A gateway that sends mail, and where it goes."""

    site: Site
    mails: SmtpServer

    async def token(self, number: int) -> str:
        """The token of the mail of this number, once it is there."""
        await eventually(lambda: len(self.mails.received) >= number)
        text = self.mails.received[number - 1][2].get_content()
        (token,) = re.findall(rf"{PUBLIC}/account#verify=(lv_[0-9a-z]{{32}})", text)
        return str(token)

    async def verify(self, token: str) -> int:
        return (await self.site.post("/v1/auth/email/verify", {"token": token})).status_code


@asynccontextmanager
async def posted_site(make_settings: Callable[..., Settings], **options: Any) -> AsyncIterator[Posted]:
    async with smtp_server() as mails:
        mail = {"smtp_url": f"smtp://127.0.0.1:{mails.port}", "public_url": PUBLIC}
        async with account_site(make_settings, **mail, **options) as site:
            yield Posted(site, mails)


@pytest.fixture
async def posted(make_settings: Callable[..., Settings], database_url: str) -> AsyncIterator[Posted]:
    async with posted_site(make_settings, database_url=database_url) as posted:
        yield posted


async def me(person: Person) -> tuple[str, bool]:
    found = (await person.call("GET", "/v1/me")).json()
    return found["email"], found["email_verified"]


async def test_the_link_of_the_mail_at_registration_verifies_the_address_once(posted: Posted) -> None:
    ann = await posted.site.register("ann", email="ann@example.org")
    assert await me(ann) == ("ann@example.org", False)
    assert not (await posted.site.state_identity(ann.access)).verified
    token = await posted.token(1)
    assert posted.mails.received[0][1] == ["ann@example.org"]
    assert await posted.verify(token) == 204, "nobody has to be logged in"
    assert await me(ann) == ("ann@example.org", True)
    assert await posted.verify(token) == 410
    fresh = (await posted.site.post("/v1/auth/refresh", {"refresh_token": ann.refresh})).json()["access_token"]
    assert (await posted.site.state_identity(fresh)).verified


async def test_another_address_is_verified_by_a_mail_to_it_and_not_by_the_mail_before(posted: Posted) -> None:
    ann = await posted.site.register("ann", email="ann@example.org")
    first = await posted.token(1)
    changed = await ann.call("PATCH", "/v1/me", {"email": "new@example.org", "password": PASSWORD})
    assert (changed.json()["email"], changed.json()["email_verified"]) == ("new@example.org", False)
    second = await posted.token(2)
    assert posted.mails.received[1][1] == ["new@example.org"]
    assert await posted.verify(first) == 410
    assert await posted.verify(second) == 204
    assert await me(ann) == ("new@example.org", True)
    await ann.call("PATCH", "/v1/me", {"name": "Ann B."})
    assert (await ann.call("PATCH", "/v1/me", {"email": "new@example.org"})).json()["email_verified"]
    assert len(posted.mails.received) == 2, "nothing was to be verified"


async def test_a_link_is_over_in_time(posted: Posted) -> None:
    await posted.site.register("ann", email="ann@example.org")
    token = await posted.token(1)
    posted.site.clock.now_ms += posted.site.state.settings.verify_token_s * 1000
    assert await posted.verify(token) == 410


async def test_the_mail_is_sent_again_but_nobodys_mailbox_is_flooded(posted: Posted) -> None:
    posted.site.stop_the_clock_of_limits()
    ann = await posted.site.register("ann", email="ann@example.org")
    codes = [(await ann.call("POST", "/v1/auth/email/send")).status_code for _ in range(MAILS_AT_ONCE)]
    assert codes == [202] * (MAILS_AT_ONCE - 1) + [429]
    ben = await posted.site.register("ben", email="ANN@example.org")
    assert await me(ben) == ("ANN@example.org", False), "the account is made, the mail is not sent"
    refused = await ben.call("POST", "/v1/auth/email/send")
    assert (refused.status_code, refused.json()["reason"]) == (429, "too_fast")
    assert await posted.verify(await posted.token(MAILS_AT_ONCE)) == 204, "the last link works"
    assert await me(ann) == ("ann@example.org", True)
    verified = await ann.call("POST", "/v1/auth/email/send")
    assert (verified.status_code, verified.json()["reason"]) == (409, "verified")
    assert len(posted.mails.received) == MAILS_AT_ONCE


async def test_where_no_mail_is_sent_or_no_address_is_known_one_is_told(make_settings: Callable[..., Settings]) -> None:
    async with account_site(make_settings) as site:
        ann, ben = await site.register("ann", email="ann@example.org"), await site.register("ben")
        reasons = [(await person.call("POST", "/v1/auth/email/send")).json()["reason"] for person in (ann, ben)]
        assert reasons == ["no_mail", "no_email"]
        assert (await site.post("/v1/auth/email/send")).status_code == 401
        assert (await site.post("/v1/auth/email/verify", {"token": "lv_" + "0" * 32})).status_code == 410


async def test_tokens_are_not_guessed(make_settings: Callable[..., Settings]) -> None:
    async with account_site(make_settings, attempts_per_minute=2) as site:
        site.stop_the_clock_of_limits()
        guesses = [{"token": f"lv_{n:032}"} for n in range(6)]
        codes = [(await site.post("/v1/auth/email/verify", guess)).status_code for guess in guesses]
    assert codes == [410] * 4 + [429] * 2


async def test_the_page_is_told_how_one_logs_in(make_settings: Callable[..., Settings]) -> None:
    options = {"oidc_issuer": "https://id.example", "oidc_client_id": "tv", "oidc_name": "Example ID"}
    async with posted_site(make_settings, **options, registration="closed") as posted:
        assert (await posted.site.client.get("/v1/auth")).json() == {
            "registration": "closed",
            "oidc": {"name": "Example ID", "start": "/v1/auth/oidc/start"},
            "mail": True,
            "unverified_may_comment": False,
        }
    async with account_site(make_settings) as site:
        plain = (await site.client.get("/v1/auth")).json()
    assert (plain["oidc"], plain["mail"], plain["unverified_may_comment"]) == (None, False, True)


@pytest.mark.parametrize(
    ("chosen", "mail", "may"),
    [
        ("auto", "", True),
        ("auto", "smtp://mail.example", False),
        ("yes", "smtp://mail.example", True),
        ("no", "", False),
    ],
)
def test_unverified_accounts_comment_where_no_mail_can_be_sent_or_the_operator_says_so(
    chosen: str, mail: str, may: bool
) -> None:
    assert unverified_may_comment(load_settings(unverified_may_comment=chosen, smtp_url=mail)) is may


ACCOUNT = Identity(UserId("u_" + "0" * 16), "Ann", guest=False, number=1)
GUEST = Identity(UserId("g_" + "0" * 16), "Guest 7")


@pytest.mark.parametrize(
    ("identity", "role", "who", "refused"),
    [
        (ACCOUNT, Role.VIEWER, "accounts", True),
        (ACCOUNT, Role.FOLLOWER, "followers", True),
        (ACCOUNT, Role.VIEWER, "everyone", False),
        (ACCOUNT, Role.MEMBER, "members", False),
        (ACCOUNT, Role.MODERATOR, "accounts", False),
        (GUEST, Role.GUEST, "accounts", False),  # the rule itself says no to guests
    ],
)
def test_an_unverified_account_comments_where_guests_do_or_an_owner_knows_them(
    identity: Identity, role: Role, who: str, refused: bool
) -> None:
    settings = load_settings(unverified_may_comment="no")
    with pytest.raises(Problem) if refused else nullcontext() as caught:
        must_be_verified(settings, ChannelRules(who=who), identity, role)
    if caught is not None:
        assert (caught.value.status, caught.value.reason) == (403, "email_unverified")
