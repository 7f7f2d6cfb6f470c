"""A forgotten password comes back by mail, over a real mail server, and tells strangers nothing."""

import asyncio
import re
from collections.abc import Callable
from email.message import EmailMessage

import pytest

from gateway.mail import MailError, MailServer
from stores.settings import Settings, SettingsError, load_settings
from tests.gateway.account_site import account_site
from tests.gateway.smtp_server import TAKEN, smtp_server
from tests.waiting import eventually


async def test_a_mail_brings_a_token_that_gives_a_new_password(make_settings: Callable[..., Settings]) -> None:
    async with smtp_server("post", "p@ss:word") as server:
        options = {"smtp_url": f"smtp://post:p%40ss%3Aword@127.0.0.1:{server.port}", "mail_from": "tv@example.org"}
        async with account_site(make_settings, **options) as site:
            await site.register("ann")
            await site.has_email("ann", "ann@example.org")
            await site.register("nomail")
            answers = [
                await site.post("/v1/auth/password/reset-request", {"login": login}, Host="evil.example")
                for login in ("nobody", "nomail", "no such form!", "ann")
            ]
            assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
            await asyncio.wait_for(server.arrived.wait(), 60)
            ((sender, recipients, message),) = server.received
            assert (sender, recipients, message["To"]) == ("tv@example.org", ["ann@example.org"], "ann@example.org")
            text = message.get_content()
            assert "evil.example" not in message.as_string(), "no link of the asker's choice"
            (token,) = re.findall(r"lp_[0-9a-z]{32}", text)
            body = {"token": token, "password": "battery staple"}
            assert (await site.post("/v1/auth/password/reset", body)).status_code == 204
            assert (await site.log_in("ann", "battery staple")).status_code == 200


async def test_a_mail_is_tried_again_when_the_server_is_busy(make_settings: Callable[..., Settings]) -> None:
    async with smtp_server() as server:
        server.refusals = ["451 come back later", TAKEN, "550 never"]
        async with account_site(make_settings, smtp_url=f"smtp://127.0.0.1:{server.port}") as site:
            site.auth.mail._retry_s = 0.0
            for login in ("ann", "ben", "carl"):
                await site.register(login)
                await site.has_email(login, f"{login}@example.org")
            for login in (
                "ann",
                "ben",
                "carl",
            ):  # Ann's is tried again, Ben's refused for good; Carl's goes all the same
                await site.post("/v1/auth/password/reset-request", {"login": login})
            await eventually(lambda: len(server.received) == 2)
            assert [recipients for _, recipients, _ in server.received] == [["ann@example.org"], ["carl@example.org"]]
            assert server.refusals == []


async def test_without_a_mail_server_who_forgot_is_sent_to_the_operator(make_settings: Callable[..., Settings]) -> None:
    async with account_site(make_settings) as site:
        refused = await site.post("/v1/auth/password/reset-request", {"login": "ann"})
    assert (refused.status_code, refused.json()["reason"]) == (409, "no_mail")


async def test_nobodys_mailbox_is_flooded(make_settings: Callable[..., Settings]) -> None:
    async with smtp_server() as server:
        options = {"smtp_url": f"smtp://127.0.0.1:{server.port}", "attempts_per_minute": 2}
        async with account_site(make_settings, **options) as site:
            site.stop_the_clock_of_limits()
            codes = [
                (await site.post("/v1/auth/password/reset-request", {"login": "ann"})).status_code for _ in range(4)
            ]
    assert codes == [202, 202, 429, 429]


async def test_a_password_is_not_sent_over_the_net_unencrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.mail._is_loopback", lambda _host: False)
    async with smtp_server("post", "secret") as server:
        server_of_mail = MailServer.of_url(f"smtp://post:secret@127.0.0.1:{server.port}")
        with pytest.raises(MailError, match="offers no STARTTLS"):
            await asyncio.to_thread(server_of_mail.send, mail())
    assert "secret" not in repr(server_of_mail)


def mail() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "a@example.org", "b@example.org"
    return message


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [("smtp://mail.example", "mail.example", 587), ("smtps://u:p@mail.example/", "mail.example", 465)],
)
def test_a_mail_server_is_read_from_its_url(url: str, host: str, port: int) -> None:
    server = MailServer.of_url(load_settings(smtp_url=url).smtp_url.get_secret_value())
    assert (server.host, server.port) == (host, port)


def test_a_wrong_mail_server_is_refused_without_its_password() -> None:
    with pytest.raises(SettingsError, match="expected smtp://USER:PASSWORD@HOST:PORT") as caught:
        load_settings(smtp_url="http://user:hidden@mail.example")
    assert "hidden" not in str(caught.value)
