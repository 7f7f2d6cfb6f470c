"""Log-in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce.

OpenID Connect Core 1.0 section 3.1, Discovery 1.0, RFC 7636. `OidcProvider` talks to the provider; `Pending` is what a log-in
that has begun remembers, in a signed cookie of the browser that began it.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, Self

import httpx
import orjson
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from stores.settings import Settings

TIMEOUT_S: Final = 10.0
DISCOVERED_MS: Final = 3_600_000
"""So long what the provider says of itself is believed."""

KEYS_AGAIN_MS: Final = 10_000
"""For an unknown key its keys are asked for again, but not more often."""

PENDING_MS: Final = 600_000
LEEWAY_S: Final = 60
ALGORITHMS: Final = (
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "EdDSA",
    "Ed25519",
)
"""Signatures with public keys; never `none`, never HMAC with the client's secret."""


class OidcError(Exception):
    """A log-in at the provider fails; the message says why."""


class ProviderAway(OidcError):  # noqa: N818  (reads as what it is)
    """The provider does not answer, or not as the standard says."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A log-in that has begun: none of it is known to anybody but us and the browser that began it."""

    state: str
    nonce: str
    verifier: str = field(repr=False)
    return_to: str
    expires_ms: int

    @classmethod
    def new(cls, return_to: str, now_ms: int) -> Self:
        """The start of a log-in that ends at a path of our page."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, return_to, now_ms + PENDING_MS)

    def sealed(self, secret: bytes) -> str:
        """As the value of a cookie."""
        values = [self.state, self.nonce, self.verifier, self.return_to, self.expires_ms]
        body = base64.urlsafe_b64encode(orjson.dumps(values)).decode()
        return f"{body}.{_signature(body, secret)}"

    @classmethod
    def opened(cls, cookie: str, secret: bytes, now_ms: int) -> Self:
        """What a cookie says.

        Raises:
            OidcError: it is none of ours, or too old.
        """
        body, _, signature = cookie.partition(".")
        if not cookie.isascii() or not hmac.compare_digest(signature, _signature(body, secret)):
            raise OidcError("this browser has begun no log-in; begin again")
        try:
            pending = cls(*orjson.loads(base64.urlsafe_b64decode(body)))
        except (ValueError, TypeError, binascii.Error) as error:
            raise OidcError("this log-in is of another version; begin again") from error
        if pending.expires_ms <= now_ms:
            raise OidcError("this log-in took too long; begin again")
        return pending


@dataclass(frozen=True, slots=True)
class Claims:
    """What the provider says of somebody; `subject` is theirs for ever, the rest is a suggestion."""

    issuer: str
    subject: str
    login: str
    name: str
    email: str


class OidcProvider:
    """The provider of the settings. Open it (`async with`) to have connections to it."""

    def __init__(self, settings: Settings, now_ms: Callable[[], int]) -> None:
        self._settings = settings
        self._now_ms = now_ms
        self._client: httpx.AsyncClient | None = None
        self._about: dict[str, Any] = {}
        self._about_ms = 0
        self._keys: KeySet | None = None
        self._keys_ms = 0

    @property
    def is_set(self) -> bool:
        """Whether there is one."""
        return bool(self._settings.oidc_issuer and self._settings.oidc_client_id)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def authorization_url(self, pending: Pending, redirect_uri: str) -> str:
        """Where the browser is sent to log in.

        Raises:
            ProviderAway: the provider does not answer.
        """
        about = await self._discovered()
        return str(
            prepare_grant_uri(
                about["authorization_endpoint"],
                self._settings.oidc_client_id,
                "code",
                redirect_uri=redirect_uri,
                scope="openid profile email",
                state=pending.state,
                nonce=pending.nonce,
                code_challenge=create_s256_code_challenge(pending.verifier),
                code_challenge_method="S256",
            )
        )

    async def claims(self, code: str, pending: Pending, redirect_uri: str) -> Claims:
        """Who has logged in: the code is exchanged for an ID token, and that is checked.

        Raises:
            ProviderAway: the provider does not answer.
            OidcError: it does not take the code, or its token is not right.
        """
        about = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": pending.verifier,
            "client_id": self._settings.oidc_client_id,
        }
        secret = self._settings.oidc_client_secret.get_secret_value()
        if secret:
            form["client_secret"] = secret
        answer = await self._asked("POST", about["token_endpoint"], data=form)
        values = _json(answer)
        if answer.is_error or not isinstance(values.get("id_token"), str):
            raise OidcError(f"the provider does not take the code: {values.get('error', answer.status_code)!s:.80}")
        return await self._checked(values["id_token"], pending.nonce)

    async def _checked(self, id_token: str, nonce: str) -> Claims:
        """OpenID Connect Core section 3.1.3.7."""
        issuer, client = self._settings.oidc_issuer, self._settings.oidc_client_id
        rules = jwt.JWTClaimsRegistry(
            now=self._now_ms() // 1000,
            leeway=LEEWAY_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": client},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            claims = (await self._decoded(id_token)).claims
            rules.validate(claims)
        except (JoseError, ValueError) as error:
            raise OidcError(f"the provider's token is not right: {error}") from error
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", client) != client or (several and "azp" not in claims):
            raise OidcError("the provider's token is for somebody else")
        if not isinstance(claims["sub"], str) or not 1 <= len(claims["sub"]) <= 255 or "\0" in claims["sub"]:
            raise OidcError("the provider's token names nobody")
        email = _text(claims, "email") if claims.get("email_verified") is True else ""
        login = _text(claims, "preferred_username") or _text(claims, "email").partition("@")[0]
        return Claims(issuer, claims["sub"], login, _text(claims, "name"), email)

    async def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, await self._key_set(again=False), algorithms=ALGORITHMS)
        except (JoseError, ValueError):
            if self._now_ms() - self._keys_ms < KEYS_AGAIN_MS:
                raise
        return jwt.decode(id_token, await self._key_set(again=True), algorithms=ALGORITHMS)

    async def _key_set(self, *, again: bool) -> KeySet:
        if self._keys is None or again or self._now_ms() - self._keys_ms > DISCOVERED_MS:
            about = await self._discovered()
            found = _json(await self._asked("GET", about["jwks_uri"]))
            try:
                self._keys = KeySet.import_key_set(found)  # type: ignore[arg-type]
            except (JoseError, ValueError, KeyError, TypeError) as error:
                raise ProviderAway("the provider's keys cannot be read") from error
            self._keys_ms = self._now_ms()
        return self._keys

    async def _discovered(self) -> dict[str, Any]:
        """OpenID Connect Discovery section 4: what the provider says of itself, under the name that we know."""
        if not self._about or self._now_ms() - self._about_ms > DISCOVERED_MS:
            issuer = self._settings.oidc_issuer
            answer = await self._asked("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration")
            about = _json(answer)
            if answer.is_error or about.get("issuer") != issuer:
                raise ProviderAway(f"expected the provider to call itself {issuer}, found {about.get('issuer')!r:.100}")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(about.get(name), str):
                    raise ProviderAway(f"the provider does not say its {name}")
            self._about, self._about_ms = about, self._now_ms()
        return self._about

    async def _asked(self, method: str, url: str, **more: Any) -> httpx.Response:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT_S, headers={"Accept": "application/json"})
        try:
            return await self._client.request(method, url, **more)
        except httpx.HTTPError as error:
            raise ProviderAway(f"the provider does not answer ({type(error).__name__})") from error


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        values = orjson.loads(answer.content)
    except ValueError as error:
        raise ProviderAway("the provider does not answer with JSON") from error
    if not isinstance(values, dict):
        raise ProviderAway("the provider does not answer with a JSON object")
    return values


def _text(claims: dict[str, Any], name: str) -> str:
    found = claims.get(name)
    return found if isinstance(found, str) else ""


def _signature(body: str, secret: bytes) -> str:
    return hmac.digest(secret, b"oidc." + body.encode(), sha256).hex()
