"""What can go wrong with a feed.

Errors::

    FeedError
    ├── FeedRefusedError    the server will not have this client: code, reason
    ├── NotConnectedError   nothing can be said now; the client is reconnecting
    ├── PostError           a comment was not taken: reason, message
    └── WishError           a like or a vote was not taken: code, message
"""


class FeedError(RuntimeError):
    """Something about the feed; the message says what."""


class FeedRefusedError(FeedError):
    """The server will not have this client, now or ever.

    Attributes:
        code: close code of the WebSocket.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NotConnectedError(FeedError):
    """There is no connection now; the client is reconnecting."""


class PostError(FeedError):
    """A comment was not taken.

    Attributes:
        id: of the comment.
        reason: for programs, such as `slow_mode`; `held`: a moderator looks at it first; `no_answer`: not known yet.
    """

    def __init__(self, comment_id: str, reason: str, message: str) -> None:
        super().__init__(message)
        self.id = comment_id
        self.reason = reason


class WishError(FeedError):
    """A like or a vote was not taken.

    Attributes:
        code: for programs, such as `poll_closed`; `other_video`: the channel shows another one now.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
