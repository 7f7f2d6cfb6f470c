"""Every operation of the described API, called with what its description allows and with what it does not.

Schemathesis makes the calls out of `/v1/openapi.json`; gateway, worker and consumers are processes on real Kafka,
Cassandra and SQLite. Whoever calls, and whatever with, the answer is one of those described for the operation: status,
content type and schema; nothing breaks (5xx), but a 503 that says when to come back.

The calls are the same each time. Look further with `LOGCAST_FUZZ_EXAMPLES=200 pytest tests/gateway/test_api_fuzz.py`.
Not called here: the feed (`test_feed_fuzz.py`), and media and playlists, whose routes the document does not describe.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi import checks

from gateway.openapi.document import openapi_document
from stores.settings import Settings
from tests.conftest import free_ports
from tests.gateway.feed_system import VIDEO, System, running

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore:Do not use the `random` module"),  # Schemathesis does
]

EXAMPLES: Final = int(os.environ.get("LOGCAST_FUZZ_EXAMPLES", "3"))
CALLERS: Final = ("nobody", "guest", "account", "owner", "operator")
CHECKS: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]


@dataclass
class Site:
    """Where to call, and what there is to find."""

    system: System
    client: httpx.Client
    known: dict[str, str] = field(default_factory=dict)
    number: Iterator[int] = field(default_factory=count)

    def send(self, method: str, path: str, token: str = "", body: object = None) -> httpx.Response:
        """A call that must succeed."""
        headers = self.from_elsewhere() | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = self.client.request(method, path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.text}"
        return answer

    def from_elsewhere(self) -> dict[str, str]:
        """Another address each time, so that no limit of addresses hides the rest."""
        n = next(self.number)
        return {"X-Forwarded-For": f"198.{18 + n // 65_536 % 2}.{n // 256 % 256}.{n % 256}"}

    def operator(self) -> str:
        """The operator's token."""
        return self.system.settings.admin_token.get_secret_value()

    def furnish(self) -> None:
        """A comment, a poll and somebody."""
        guest = self.token_of("guest")
        comment = {"id": "comment-0001", "text": "hello"}
        self.send("POST", f"/v1/videos/{VIDEO}/comments", guest, comment)
        poll = {"id": "poll-000001", "question": "Tea?", "options": ["yes", "no"]}
        self.send("POST", f"/v1/videos/{VIDEO}/polls", self.operator(), poll)
        self.register("somebody")
        ids = {"comment": "comment-0001", "comment_id": "comment-0001", "parent": "comment-0001", "poll": "poll-000001"}
        self.known = ids | {"video": VIDEO, "video_id": VIDEO, "channel": "demo", "user": "somebody", "language": "en"}

    def register(self, login: str) -> str:
        """An account's access token."""
        form = {"login": login, "password": "correct horse"}
        return str(self.send("POST", "/v1/auth/register", body=form).json()["access_token"])

    def token_of(self, caller: str) -> str:
        """A token of somebody new: what one call ends (a session, a password) holds up no other."""
        if caller == "nobody":
            return ""
        if caller == "guest":
            return str(self.send("POST", "/v1/guests", body={"name": "Guest"}).json()["token"])
        if caller == "operator":
            return self.operator()
        login = f"person{next(self.number)}"
        token = self.register(login)
        if caller == "owner":
            self.send("PUT", f"/v1/channels/demo/roles/{login}", self.operator(), {"role": "owner"})
        return token


@pytest.fixture
async def site(make_settings: Callable[..., Settings], kafka: str, cassandra: tuple[str, int]) -> AsyncIterator[Site]:
    assert kafka
    assert cassandra
    http, worker, consumers = free_ports(3)
    settings = make_settings(
        http_port=http,
        health_port_worker=worker,
        health_port_consumers=consumers,
        worker_agents="comments,reactions,viewers,cues",
        slow_mode_ms=0,
        argon2_memory_kib=8,
        argon2_time_cost=1,
        attempts_per_minute=10_000,
    )
    async with running(settings) as system:
        with httpx.Client(base_url=system.url, timeout=60) as client:
            yield Site(system, client)


def findings_of(site: Site) -> Counter[str]:
    """What is wrong with the answers of all operations, and how often."""
    operations: Any = schemathesis.openapi.from_dict(openapi_document()).get_all_operations()
    found: Counter[str] = Counter()
    site.furnish()
    for described in operations:
        operation = described.ok()
        for caller in CALLERS:
            found.update(_findings(site, operation, caller))
    return found


def _findings(site: Site, operation: Any, caller: str) -> list[str]:
    token = site.token_of(caller)
    found: list[str] = []
    strategy = st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))

    @examples(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy, real=st.lists(st.booleans(), min_size=8, max_size=8))
    def call(case: Any, real: list[bool]) -> None:
        _point_at_what_there_is(case, site.known, real)
        found.extend(f"{operation.label} as {caller}: {finding}" for finding in _wrong(site, case, token))

    call()
    return found


def _point_at_what_there_is(case: Any, known: dict[str, str], real: list[bool]) -> None:
    """Put real ids into most calls: made-up ones find nothing but 404s."""
    for values in (case.path_parameters, case.body):
        if isinstance(values, dict):
            for name, wanted in zip(values, real, strict=False):
                if name in known and wanted:
                    values[name] = known[name]


def _wrong(site: Site, case: Any, token: str) -> list[str]:
    headers = site.from_elsewhere() | ({"Authorization": f"Bearer {token}"} if token else {})
    response = case.call(base_url=site.system.url, headers=headers, allow_redirects=False, timeout=60)
    wrong = []
    if response.status_code >= 500 and not (response.status_code == 503 and response.headers.get("retry-after")):
        wrong.append(f"{response.status_code} without advice: {_shown(case, response)}")
    try:
        case.validate_response(response, checks=CHECKS)
    except FailureGroup as failures:
        wrong.extend(
            f"{failure.title}: {failure.message:.300}: {_shown(case, response)}" for failure in failures.exceptions
        )
    return wrong


def _shown(case: Any, response: Any) -> str:
    return f"{case.as_curl_command()[:600]} -> {response.status_code} {response.text[:300]}"


async def test_whoever_calls_whatever_the_answer_is_one_that_is_described(site: Site) -> None:
    found = await asyncio.to_thread(findings_of, site)
    assert not found, "\n".join(found)
