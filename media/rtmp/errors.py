"""What can go wrong on an RTMP connection.

RtmpError                what the peer sent breaks the protocol or a limit: report it, then close the connection
├── HandshakeError       version or encryption that is not spoken here (RTMP 1.0, 5.2)
├── ChunkError           a chunk that cannot follow the ones before it (5.3, 5.4)
├── AmfError             a command or data message that is not AMF0 (AMF0 specification)
├── MessageError         a message whose body does not fit its type (5.4, 7.1)
├── CommandError         a command that is malformed or out of order (7.2)
└── LimitError           something legal, but larger than `RtmpLimits` allows
WrongStateError          our own caller answered a question that nobody asked
"""


class RtmpError(Exception):
    """The peer broke the protocol. The connection is of no more use; the message says what was expected and found."""


class HandshakeError(RtmpError):
    """The first bytes are not an RTMP version 3 handshake."""


class ChunkError(RtmpError):
    """A chunk cannot follow the ones before it on its chunk stream."""


class AmfError(RtmpError):
    """Bytes that are not AMF0."""


class MessageError(RtmpError):
    """The body of a message does not fit its type."""


class CommandError(RtmpError):
    """A command is malformed, or came when it may not."""


class LimitError(RtmpError):
    """The peer asked for more than `RtmpLimits` allows."""


class WrongStateError(RuntimeError):
    """A call that does not fit the state of the connection: a mistake of the caller, never of the peer."""
