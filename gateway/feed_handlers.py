"""What the feed does with the messages that it has always had: comment, like, react, ping, and which parts to tell of."""

from dataclasses import replace

from gateway import feed_messages
from gateway.audience import Audience, tell_taken, verdict_message
from gateway.authors import author_of, must_be_verified
from gateway.feed_actions import Actions, Values, Voice
from gateway.feed_messages import LikeWanted, Ping, Post, React, Renewal, Want
from gateway.held_comments import HeldComments
from gateway.identity import IdentityError
from gateway.problems import Problem
from gateway.rooms import Hearing
from schemas.events import CommentHeld, VideoChanged
from stores.roles import Role


class Handlers:
    """One for an audience."""

    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        self._held = HeldComments(audience)

    async def comment(self, voice: Voice, post: Post) -> None:
        """Submit it, and tell its author what became of it."""
        video, role = video_of(voice), await voice.role()
        must_be_verified(self._audience.settings, self._audience.rules.of(video.channel), voice.identity, role)
        author = author_of(voice.identity, role, voice.address)
        verdict = await self._audience.comment(video, author, post)
        if verdict is not None:
            voice.say(verdict_message(verdict))
        if isinstance(verdict, CommentHeld):
            self._held.wait(voice, verdict)

    def like(self, voice: Voice, wanted: LikeWanted) -> None:
        """Like, or not any more."""
        tell_taken(voice, wanted.id, self._audience.like(video_of(voice), voice.guest, wanted))

    def react(self, voice: Voice, reaction: React) -> None:
        """React."""
        tell_taken(voice, reaction.id, self._audience.react(video_of(voice), voice.guest, reaction))

    def ping(self, voice: Voice, _ping: Ping) -> None:
        """Answer."""
        voice.say({"type": "pong", "at_ms": self._audience.state.clock()})

    def want(self, voice: Voice, wanted: Want) -> None:
        """Tell of other renditions' parts from now on."""
        self._hear(voice, replace(voice.hearing, renditions=wanted.parts))

    async def renew(self, voice: Voice, renewal: Renewal) -> None:
        """Go on with a newer token of the same user."""
        try:
            identity = await voice.identities.of_token(renewal.token)
        except IdentityError as error:
            raise Problem(401, "bad_token", str(error)) from error
        if identity.id != voice.identity.id:
            raise Problem(403, "other_user", "the token is of somebody else; open another connection with it")
        voice.identity, voice.token = identity, renewal.token
        self._hear(voice, replace(voice.hearing, moderator=await voice.role() >= Role.MODERATOR))
        voice.say({"type": "renewed", "user": {"id": identity.id, "name": identity.name}})

    def _hear(self, voice: Voice, hearing: Hearing) -> None:
        if hearing != voice.hearing:
            self._audience.rooms.rehear(voice.channel, voice.subscriber, hearing)


def add_handlers(actions: Actions, audience: Audience) -> None:
    """Add them to the table."""
    handlers = Handlers(audience)
    actions.add("comment", feed_messages.post_of, handlers.comment)
    actions.add("like", feed_messages.like_of, handlers.like)
    actions.add("react", feed_messages.reaction_of, handlers.react)
    actions.add("reaction", feed_messages.reaction_of, handlers.react)
    actions.add("ping", _ping_of, handlers.ping, needs_video=False, needs_token=False)
    actions.add("want", feed_messages.want_of, handlers.want, needs_video=False, needs_token=False)
    actions.add("token", feed_messages.renewal_of, handlers.renew, needs_video=False, needs_token=False)


def video_of(voice: Voice) -> VideoChanged:
    """The video that a connection is about.

    Raises:
        Problem: 404, it went meanwhile.
    """
    video = voice.video
    if video is None:
        raise Problem(404, "no_video", f"channel {voice.channel} has no video now")
    return video


def _ping_of(_values: Values) -> Ping:
    return Ping()
