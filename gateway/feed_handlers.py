"""What the feed does with the messages that it has always had: comment, like, react, ping, and which parts to tell of."""

from gateway import feed_messages
from gateway.audience import Audience, verdict_message
from gateway.feed_actions import Actions, Values, Voice
from gateway.feed_messages import LikeWanted, Ping, Post, React, Renewal, Want
from gateway.identity import IdentityError
from gateway.problems import Problem
from gateway.rooms import Hearing
from gateway.speaking import Author
from schemas.events import VideoChanged
from stores.users import Role


def add_handlers(actions: Actions, audience: Audience) -> None:
    """Add them to the table."""

    async def comment(voice: Voice, post: Post) -> None:
        who = voice.identity
        role = await voice.role()
        author = Author(id=who.id, name=who.name, role=role.value, address=voice.address)
        verdict = await audience.comment(video_of(voice), author, post)
        if verdict is not None:
            voice.say(verdict_message(verdict))

    def like(voice: Voice, wanted: LikeWanted) -> None:
        audience.like(video_of(voice), voice.guest, wanted)

    def react(voice: Voice, reaction: React) -> None:
        audience.react(video_of(voice), voice.guest, reaction)

    def ping(voice: Voice, _ping: Ping) -> None:
        voice.say({"type": "pong", "at_ms": audience.state.clock()})

    def want(voice: Voice, wanted: Want) -> None:
        old = voice.hearing
        hearing = Hearing(old.video, old.trusted, old.moderator, wanted.parts)
        audience.rooms.rehear(voice.channel, voice.subscriber, hearing)

    async def renew(voice: Voice, renewal: Renewal) -> None:
        try:
            identity = await voice.identities.of_token(renewal.token)
        except IdentityError as error:
            raise Problem(401, "bad_token", str(error)) from error
        if identity.id != voice.identity.id:
            raise Problem(403, "other_user", "the token is of somebody else; open another connection with it")
        voice.identity, voice.token = identity, renewal.token
        old = voice.hearing
        moderator = await voice.role() >= Role.MODERATOR
        if moderator != old.moderator:
            hearing = Hearing(old.video, old.trusted, moderator, old.renditions)
            audience.rooms.rehear(voice.channel, voice.subscriber, hearing)
        voice.say({"type": "renewed", "user": {"id": identity.id, "name": identity.name}})

    actions.add("comment", feed_messages.post_of, comment)
    actions.add("like", feed_messages.like_of, like)
    actions.add("react", feed_messages.reaction_of, react)
    actions.add("reaction", feed_messages.reaction_of, react)
    actions.add("ping", _ping_of, ping, needs_video=False, needs_token=False)
    actions.add("want", feed_messages.want_of, want, needs_video=False, needs_token=False)
    actions.add("token", feed_messages.renewal_of, renew, needs_video=False, needs_token=False)


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
