"""The states of a connection that is published to, and the one table of what moves it."""

from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where a connection stands."""

    AWAITING_C1 = auto()
    AWAITING_C2 = auto()
    AWAITING_CONNECT = auto()
    CONNECTED = auto()
    PUBLISH_REQUESTED = auto()
    """Nothing more is read until the caller has answered."""
    PUBLISHING = auto()
    FAILED = auto()


class Step(Enum):
    """What moves a connection."""

    C1 = auto()
    C2 = auto()
    CONNECT = auto()
    PUBLISH = auto()
    ACCEPT = auto()
    REFUSE = auto()
    UNPUBLISH = auto()


TRANSITIONS: Final[dict[tuple[State, Step], State]] = {
    (State.AWAITING_C1, Step.C1): State.AWAITING_C2,
    (State.AWAITING_C2, Step.C2): State.AWAITING_CONNECT,
    (State.AWAITING_CONNECT, Step.CONNECT): State.CONNECTED,
    (State.CONNECTED, Step.PUBLISH): State.PUBLISH_REQUESTED,
    (State.PUBLISH_REQUESTED, Step.ACCEPT): State.PUBLISHING,
    (State.PUBLISH_REQUESTED, Step.REFUSE): State.CONNECTED,
    (State.PUBLISHING, Step.UNPUBLISH): State.CONNECTED,
}
"""Every move there is; besides, an `RtmpError` leads from each state to FAILED. What is not here is refused."""
