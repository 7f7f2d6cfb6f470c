"""The routes of the conversation: feed and API over one `Audience`."""

from starlette.routing import BaseRoute

from gateway.api import api_routes
from gateway.audience import Audience
from gateway.comment_handlers import add_comment_handlers
from gateway.comment_routes import comment_routes
from gateway.emote_routes import emote_routes
from gateway.engagement import Engagement
from gateway.engagement_routes import engagement_routes
from gateway.feeds import feed_routes
from gateway.media_access import media_access
from gateway.mine import mine_routes
from gateway.moderation_routes import moderation_routes
from gateway.part_news import PartNews
from gateway.replay_routes import replay_routes
from gateway.settings_routes import settings_routes
from gateway.state import GatewayState
from gateway.studio_routes import studio_routes
from schemas.topics import MEDIA_PARTS


def install(state: GatewayState) -> list[BaseRoute]:
    """Make the audience of a gateway, and give its routes."""
    audience = Audience(state)
    add_comment_handlers(audience.actions, audience)
    media = media_access(state)
    parts = PartNews(media.broadcasts, state.videos, audience.rooms)
    state.subscribe(MEDIA_PARTS, parts.media, media.broadcasts.log_start_ms)
    state.after_batch(parts.folded)
    engagement = Engagement(audience)
    return [
        *feed_routes(audience),
        *engagement_routes(audience, engagement),
        *settings_routes(audience),
        *studio_routes(audience),
        *comment_routes(audience),
        *replay_routes(audience),
        *mine_routes(audience),
        *moderation_routes(audience),
        *emote_routes(state),
        *api_routes(audience),
    ]
