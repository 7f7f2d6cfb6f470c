"""The routes of the conversation: feed and API over one `Audience`."""

from starlette.routing import BaseRoute

from gateway.api import api_routes
from gateway.audience import Audience
from gateway.feeds import feed_routes
from gateway.settings_routes import settings_routes
from gateway.state import GatewayState


def install(state: GatewayState) -> list[BaseRoute]:
    """Make the audience of a gateway, and give its routes."""
    audience = Audience(state)
    return [*feed_routes(audience), *settings_routes(audience), *api_routes(audience)]
