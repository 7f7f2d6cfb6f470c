"""Whose a bearer token is: the operator's, or of a channel's owner."""

import hmac
from dataclasses import dataclass

from gateway.state import GatewayState


@dataclass(frozen=True, slots=True)
class Owner:
    """The operator, or the owner of `channel`; neither when both are empty."""

    channel: str = ""
    operator: bool = False


class Ownership:
    """Looks tokens up."""

    def __init__(self, state: GatewayState) -> None:
        self._state = state

    async def of(self, token: str) -> Owner:
        """Whose a token is."""
        admin = self._state.settings.admin_token.get_secret_value()
        if not token:
            return Owner()
        if admin and hmac.compare_digest(token.encode(), admin.encode()):
            return Owner(operator=True)
        accounts = self._state.accounts
        owned = await accounts.channel_of_key(token) if accounts is not None else None
        return Owner(owned.name) if owned is not None else Owner()
