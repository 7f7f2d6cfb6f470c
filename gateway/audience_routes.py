"""The routes of the conversation: feed and API over one `Audience`."""

from starlette.routing import BaseRoute

from gateway.api import api_routes
from gateway.audience import Audience
from gateway.comment_handlers import add_comment_handlers
from gateway.comment_routes import comment_routes
from gateway.engagement import Engagement
from gateway.engagement_routes import engagement_routes
from gateway.feeds import feed_routes
from gateway.settings_routes import settings_routes
from gateway.state import GatewayState


def install(state: GatewayState) -> list[BaseRoute]:
    """Make the audience of a gateway, and give its routes."""
    audience = Audience(state)
    add_comment_handlers(audience.actions, audience)
    engagement = Engagement(audience)
    return [
        *feed_routes(audience),
        *engagement_routes(audience, engagement),
        *settings_routes(audience),
        *comment_routes(audience),
        *api_routes(audience),
    ]
