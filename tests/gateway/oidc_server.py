"""A small OpenID Connect provider over real HTTP: discovery, authorization code with PKCE, signed ID tokens, changing keys."""

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.waiting import eventually

CLIENT_ID, CLIENT_SECRET = "logcast", "between us"


@dataclass
class OidcServer:
    """The provider; whoever comes is `claims`, and `spoil` may change what it says.

    Attributes:
        spoil: changes the claims of an ID token before it is signed.
        spoil_key: signs with a key that is published nowhere.
    """

    issuer: str
    now_s: Callable[[], int]
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "42", "preferred_username": "Ann", "name": "Ann P."})
    spoil: Callable[[dict[str, Any]], None] = lambda _claims: None
    spoil_key: bool = False
    keys: KeySet = field(default_factory=lambda: KeySet([_new_key()]))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)

    def change_keys(self) -> None:
        """As providers do now and then."""
        self.keys = KeySet([_new_key()])

    async def discovery(self, _request: Request) -> Response:
        self.calls.append("discovery")
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def jwks(self, _request: Request) -> Response:
        self.calls.append("keys")
        return JSONResponse(self.keys.as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        """The user is logged in here already, and consents."""
        asked = dict(request.query_params)
        assert asked["client_id"] == CLIENT_ID
        assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
        assert "openid" in asked["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}", 302)

    async def token(self, request: Request) -> Response:
        """RFC 6749 section 4.1.3 with RFC 7636 section 4.6."""
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        hashed = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
        right = (
            asked is not None
            and form["redirect_uri"] == asked["redirect_uri"]
            and form.get("client_secret") == CLIENT_SECRET
            and challenge == asked["code_challenge"]
        )
        if not right or asked is None:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now_s = self.now_s()
        claims = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now_s, "exp": now_s + 300, "nonce": asked["nonce"]}
        claims |= self.claims
        self.spoil(claims)
        key = _new_key() if self.spoil_key else self.keys.keys[0]
        signed = jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)
        return JSONResponse({"access_token": "not ours to use", "token_type": "Bearer", "id_token": signed})


def _new_key() -> ECKey:
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})


class _Server(uvicorn.Server):
    """Without its own signal handlers: pytest owns them."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def oidc_server(now_s: Callable[[], int]) -> AsyncIterator[OidcServer]:
    """Run one on a free port of 127.0.0.1."""
    provider = OidcServer("", now_s)
    routes = [
        Route("/.well-known/openid-configuration", provider.discovery),
        Route("/keys", provider.jwks),
        Route("/authorize", provider.authorize),
        Route("/token", provider.token, methods=["POST"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), port=0, log_level="warning", lifespan="off", ws="none")
    server = _Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        provider.issuer = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.should_exit = True
        await serving
