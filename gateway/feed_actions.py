"""What a client may say on the feed: a table of message types, to which each part of the gateway adds its own.

    audience.actions.add("vote", read_vote, on_vote)

`read` turns the JSON members into a value or raises `MessageError`; `do` gets the `Voice` of who said it and that value,
and may be a coroutine function: then it runs beside the reading, up to `MAX_AT_ONCE` for a connection. What it has to
answer it says with `voice.say`. A `Problem` that it raises becomes an `error`, with the `id` of the message if it had one.

`greet` adds what a newcomer is told right after `joined` and its history, such as an open poll; `watch` hears who comes
and goes.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import orjson

from gateway.feed_messages import MessageError
from gateway.guests import Guest
from gateway.identity import Identities, Identity
from gateway.rooms import Hearing, Message, Subscriber
from schemas.events import VideoChanged
from schemas.ids import COMMENT_ID
from stores.roles import Role

MAX_AT_ONCE: Final = 8

T = TypeVar("T")
Values = dict[str, Any]


@dataclass(slots=True)
class Voice:
    """Who speaks over one connection, as those see it who handle messages.

    Attributes:
        channel: the channel that the connection is about.
        identity: who it is.
        token: by which they are known; a `token` message renews it.
        address: keyed hash of where they are (`identity.address_of`).
        subscriber: the connection.
        seen: gives the video that it is about now; None: there is none that it may see.
        identities: looks tokens and roles up.
        returning: they came with a token, and may have been here before.
    """

    channel: str
    identity: Identity
    token: str
    address: str
    subscriber: Subscriber
    seen: Callable[[], VideoChanged | None]
    identities: Identities
    returning: bool = False

    @property
    def video(self) -> VideoChanged | None:
        """The video that the connection is about now; None: there is none that it may see."""
        return self.seen()

    @property
    def guest(self) -> Guest:
        """Id and name."""
        return Guest(self.identity.id, self.identity.name)

    async def role(self) -> Role:
        """What they are to the channel, as of some seconds ago."""
        return await self.identities.role(self.identity, self.channel)

    @property
    def hearing(self) -> Hearing:
        """What it hears."""
        return self.subscriber.hearing

    def say(self, message: Message) -> None:
        """Answer this one alone."""
        self.subscriber.say(message)


Done = Awaitable[None] | None
Greeter = Callable[[Voice, VideoChanged | None], Iterable[Message]]
Presence = Callable[[Voice], None]


@dataclass(frozen=True, slots=True)
class Action:
    """One type of message.

    Attributes:
        kind: its `type`.
        read: checks the members.
        do: does it.
        needs_video: without a video the answer is the error `no_video`.
        needs_token: when the token of the connection has lapsed, the answer is the error `token_lapsed`.
        waits: `do` is a coroutine function.
    """

    kind: str
    read: Callable[[Values], Any]
    do: Callable[[Voice, Any], Done]
    needs_video: bool
    needs_token: bool
    waits: bool


@dataclass(frozen=True, slots=True)
class Said:
    """A message that was understood: what to do, with which value, and its `id` if it had a good one."""

    action: Action
    value: Any
    id: str | None

    def do(self, voice: Voice) -> Done:
        """Do it; something to wait for where the action waits."""
        return self.action.do(voice, self.value)


@dataclass(slots=True)
class Actions:
    """The table; filled while the gateway is made, before it starts."""

    _actions: dict[str, Action] = field(default_factory=dict)
    _greeters: list[Greeter] = field(default_factory=list)
    _watchers: list[tuple[Presence, Presence]] = field(default_factory=list)

    def add(
        self,
        kind: str,
        read: Callable[[Values], T],
        do: Callable[[Voice, T], Done],
        *,
        needs_video: bool = True,
        needs_token: bool = True,
    ) -> None:
        """Add a type of message.

        Raises:
            ValueError: there is one of this type already.
        """
        if kind in self._actions:
            raise ValueError(f"two actions for messages of type {kind}")
        self._actions[kind] = Action(kind, read, do, needs_video, needs_token, inspect.iscoroutinefunction(do))

    def greet(self, greeter: Greeter) -> None:
        """Add something that every newcomer is told."""
        self._greeters.append(greeter)

    def greetings(self, voice: Voice, video: VideoChanged | None) -> Iterable[Message]:
        """What a newcomer is told."""
        return (message for greeter in self._greeters for message in greeter(voice, video))

    def watch(self, came: Presence, went: Presence) -> None:
        """Call `came` for everybody who joins, `went` once for each of them who leaves."""
        self._watchers.append((came, went))

    def came(self, voice: Voice) -> None:
        """Somebody has joined."""
        for came, _ in self._watchers:
            came(voice)

    def went(self, voice: Voice) -> None:
        """Somebody has left."""
        for _, went in self._watchers:
            went(voice)

    @property
    def kinds(self) -> list[str]:
        """The types that a client may say."""
        return list(self._actions)

    def read(self, text: str | bytes) -> Said:
        """A client's message.

        Raises:
            MessageError: not JSON, an unknown type, or a field that is missing or wrong.
        """
        values = json_object(text)
        kind = values.get("type")
        action = self._actions.get(kind) if isinstance(kind, str) else None
        if action is None:
            raise MessageError("bad_type", f"expected type {', '.join(self._actions)}; found {kind!r:.60}")
        about = values.get("id")
        about = about if isinstance(about, str) and COMMENT_ID.fullmatch(about) else None
        try:
            return Said(action, action.read(values), about)
        except MessageError as error:
            error.comment_id = error.comment_id or about
            raise


def json_object(text: str | bytes) -> Values:
    """A message as a JSON object.

    Raises:
        MessageError: it is none.
    """
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise MessageError("bad_json", f"expected one JSON object a message: {error}") from error
    if not isinstance(values, dict):
        raise MessageError("bad_json", f"expected a JSON object, found {type(values).__name__}")
    return values
