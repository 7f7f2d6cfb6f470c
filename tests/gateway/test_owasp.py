"""What strangers try on everything on the web (OWASP's basics), tried here: text stays text, channels stay apart, sizes
stay bounded. Sessions, enumeration, forged requests and roles are tried in the tests of accounts, markup on the page in
`test_page_browser.py`.
"""

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from gateway.download_routes import _disposition
from gateway.downloads import Layout
from processors.word_patterns import MAX_PATTERN, MAX_PATTERNS, Patterns, plain_words
from stores.settings import Settings
from tests.gateway.account_site import account_site
from tests.gateway.feed_system import VIDEO, System, live_video
from tests.waiting import eventually_async

WEB = Path(__file__).parent.parent.parent / "gateway" / "web" / "js"
HOSTILE = (
    "'); DROP TABLE comments; --",
    "x' OR '1'='1' ALLOW FILTERING; --",
    '"}}, {"$gt": ""}',
    "%{jndi:ldap://x} ${7*7} {{7*7}} ../../etc/passwd",
    "<script>alert(1)</script>",
)
SAYS = f"/v1/videos/{VIDEO}/comments"


class People:
    """Calls of several people to a running system."""

    def __init__(self, http: httpx.AsyncClient, operator: str) -> None:
        self.http, self.operator = http, operator

    async def call(self, method: str, path: str, token: str = "", body: object = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self.http.request(method, path, json=body, headers=headers)

    async def done(self, method: str, path: str, token: str = "", body: object = None) -> Any:
        answer = await self.call(method, path, token, body)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer.json()

    async def guest(self, name: str = "Gus") -> str:
        return str((await self.done("POST", "/v1/guests", "", {"name": name}))["token"])

    async def with_channel(self, login: str) -> str:
        """The token of somebody who owns the channel LOGIN-tv."""
        made = await self.done("POST", "/v1/auth/register", "", {"login": login, "password": "correct horse"})
        await self.done("POST", "/v1/channels", made["access_token"], {"name": f"{login}-tv"})
        return str(made["access_token"])

    async def texts(self, **query: str) -> dict[str, str | None]:
        answer = await self.http.get(SAYS, params=query)
        assert answer.status_code == 200, answer.text
        return {row["id"]: row.get("text") for row in answer.json()["comments"]}

    async def shows(self, wanted: dict[str, str | None]) -> None:
        async def agrees() -> bool:
            return await self.texts() == wanted

        await eventually_async(agrees, 60, f"the comments {wanted}")


@pytest.mark.integration
async def test_what_people_write_is_never_a_command_and_nobody_reaches_into_another_channel(system: System) -> None:
    operator = system.settings.admin_token.get_secret_value()
    async with httpx.AsyncClient(base_url=system.url, timeout=60) as http:
        people = People(http, operator)
        await _text_stays_text(people)
        await _channels_stay_apart(people)


async def _text_stays_text(people: People) -> None:
    wanted: dict[str, str | None] = {}
    for number, text in enumerate(HOSTILE):
        wanted[f"hostile-{number}"] = text
        answer = await people.call(
            "POST", SAYS, await people.guest("O'Hara"), {"id": f"hostile-{number}", "text": text}
        )
        assert answer.status_code == 202, answer.text
        assert "set-cookie" not in answer.headers
    await people.shows(wanted)
    for text in HOSTILE:
        assert await people.texts(author=text[:64]) == {}
        for query in ("cursor", "before", "from_ms", "limit"):
            assert (await people.http.get(SAYS, params={query: text})).status_code == 400, query
        for path in (SAYS, "/v1/channels", "/v1/users", "/v1/videos"):
            assert (await people.call("GET", f"{path}/{quote(text, safe='')}")).status_code in {400, 404}
    split = {"title": "a\r\nSet-Cookie: x=1"}
    assert (await people.call("PATCH", f"/v1/videos/{VIDEO}", people.operator, split)).status_code == 422
    assert (await people.call("POST", "/v1/guests", "", {"name": "a\r\nSet-Cookie: x=1"})).headers.get(
        "set-cookie"
    ) is None
    assert await people.texts() == wanted


async def _channels_stay_apart(people: People) -> None:
    ann, about = await people.with_channel("ann"), {"video_id": VIDEO, "comment_id": "hostile-1"}
    order = {"kind": "hide", "video_id": VIDEO, "comment_id": "hostile-0"}
    hidden = await people.done("POST", "/v1/channels/demo/moderation/acts", people.operator, order)
    poll = {"id": "poll-00001", "question": "Tea?", "options": ["yes", "no"]}
    await people.done("POST", f"/v1/videos/{VIDEO}/polls", people.operator, poll)
    for method, path, body in (
        ("POST", "/v1/channels/demo/moderation/acts", {"kind": "hide", **about}),
        ("GET", "/v1/channels/demo/moderation/acts", None),
        ("PUT", "/v1/channels/demo/moderation/rules", {"slow_mode_ms": 1_000}),
        ("GET", "/v1/channels/demo/moderation/review", None),
        ("POST", "/v1/channels/demo/moderation/rollback", {"acts": [hidden["act_id"]]}),
        ("POST", f"/v1/videos/{VIDEO}/polls", poll | {"id": "poll-00002"}),
        ("POST", f"/v1/videos/{VIDEO}/polls/poll-00001/close", None),
        ("PATCH", f"/v1/videos/{VIDEO}", {"title": "mine"}),
        ("PATCH", f"{SAYS}/hostile-1", {"text": "mine"}),
        ("DELETE", f"{SAYS}/hostile-1", None),
    ):
        assert (await people.call(method, path, ann, body)).status_code == 403, (method, path)
    mine = "/v1/channels/ann-tv/moderation"
    for kind in ("hide", "show", "pin", "unpin", "approve", "decline", "ban", "hide_user", "ban_address"):
        answer = await people.call("POST", f"{mine}/acts", ann, {"kind": kind, **about})
        assert answer.status_code == 404, (kind, answer.text)
    undone = await people.done("POST", f"{mine}/rollback", ann, {"acts": [hidden["act_id"]]})
    assert undone == {"acts": [], "undoing": []}
    assert (await people.done("GET", f"{mine}/acts", ann))["acts"] == []
    acts = (await people.done("GET", "/v1/channels/demo/moderation/acts", people.operator))["acts"]
    assert [act["act_id"] for act in acts] == [hidden["act_id"]]
    texts: dict[str, str | None] = {f"hostile-{number}": text for number, text in enumerate(HOSTILE)}
    await people.shows(texts | {"hostile-0": None})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"login":"' + b"x" * 40_000 + b'"}', 413),
        (b'{"login":' * 3_000, 400),
        (b"[" * 30_000 + b"]" * 2_000, 400),
        (b'{"login":' + b"9" * 30_000 + b"}", 400),
        (b'{"login":"\xff\xfe"}', 400),
        (b'{"login":"\\ud800"}', 400),
    ],
    ids=["long", "deep", "deeper", "a number", "no UTF-8", "half a character"],
)
async def test_a_body_has_a_size_and_a_depth(make_settings: Callable[..., Settings], body: bytes, status: int) -> None:
    async with account_site(make_settings) as site:
        for path in ("/v1/auth/login", "/v1/guests"):
            answer = await site.client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"


def test_a_pattern_cannot_be_made_to_take_long() -> None:
    patterns = Patterns("*".join("a" * 31) + f"*{number:x}"[: MAX_PATTERN - 61] for number in range(MAX_PATTERNS))
    began = time.process_time()
    for text in ("a" * 500, "a " * 250, "a" * 250 + " " + "a" * 249):
        patterns.found_in(plain_words(text))
    assert time.process_time() - began < 2


def test_a_title_cannot_add_a_header_to_a_download() -> None:
    video = live_video(0)
    object.__setattr__(video, "title", 'a"\r\nSet-Cookie: x=1; filename="b')
    header = _disposition(video, Layout(VIDEO, b"", (), audio_only=False))
    assert re.search(r"[\r\n]", header) is None
    assert header.count('"') == 2


def test_the_page_makes_no_markup_of_text() -> None:
    makes = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|\beval\(|new Function|DOMParser")
    found = {script.name: makes.findall(script.read_text()) for script in WEB.glob("*.js")}
    assert found
    assert not {name: what for name, what in found.items() if what}
