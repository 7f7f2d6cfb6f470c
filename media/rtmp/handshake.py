"""The simple handshake (RTMP 1.0, 5.2), which every encoder of today accepts.

Clients that know Adobe's digest handshake (FFmpeg, librtmp with an SWF hash) put a Flash version into bytes 4 to 7 of C1
and expect digests in return only when the same bytes of S1 are not zero. We send zeros there, as section 5.2.3 says, and
they go on with the simple form. Nothing but Flash Player itself insisted on the digest.

The contents of C2 are not looked at: section 5.2.4 gives them a use for the peer's own measurement only, and encoders are
careless with them.
"""

from media.rtmp.errors import HandshakeError

VERSION = 3
C0_C1_BYTES = 1 + 1536
C2_BYTES = 1536
RANDOM_BYTES = 1528

_ENCRYPTED = frozenset({6, 8, 9})
_TLS_HANDSHAKE = 0x16
_TEXT = 32


def check_version(version: int) -> None:
    """Refuse a C0 byte other than 3 (5.2.2), saying what the peer probably speaks.

    Raises:
        HandshakeError: the version is not 3.
    """
    if version == VERSION:
        return
    if version in _ENCRYPTED:
        meant = "this is encrypted RTMPE, use rtmp:// without encryption, or rtmps:// through a TLS proxy"
    elif version == _TLS_HANDSHAKE:
        meant = "this looks like TLS, use rtmp:// instead of rtmps:// on this port"
    elif version >= _TEXT:
        meant = "this looks like a text protocol such as HTTP"
    else:
        meant = "section 5.2.2 deprecates or reserves it"
    raise HandshakeError(f"found version {version} in C0, expected {VERSION}: {meant}")


def server_reply(c1: bytes, *, epoch_ms: int, random_bytes: bytes) -> bytes:
    """Give S0, S1 and S2 in answer to a C1 of 1536 bytes.

    S1 carries our clock and `random_bytes` (1528 of them), S2 echoes C1 with the time at which we read it (5.2.4).
    """
    now = (epoch_ms % (1 << 32)).to_bytes(4, "big")
    s1 = now + bytes(4) + random_bytes
    s2 = c1[:4] + now + c1[8:]
    return bytes((VERSION,)) + s1 + s2
