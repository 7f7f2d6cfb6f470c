import pytest

from media.rtmp import handshake
from media.rtmp.errors import HandshakeError


def test_the_reply_is_version_3_our_random_and_an_echo_of_theirs() -> None:
    c1 = b"\x00\x00\x00\x2a" + b"\x09\x00\x7c\x02" + bytes(range(256)) * 5 + bytes(248)
    random = bytes(reversed(c1[8:]))
    reply = handshake.server_reply(c1, epoch_ms=0x1_0000_0007, random_bytes=random)
    assert len(reply) == 1 + 1536 + 1536
    s0, s1, s2 = reply[0], reply[1:1537], reply[1537:]
    assert s0 == 3
    assert s1 == b"\x00\x00\x00\x07" + bytes(4) + random
    assert s2 == c1[:4] + b"\x00\x00\x00\x07" + c1[8:]


def test_the_version_of_s1_is_zero_so_that_digest_clients_fall_back() -> None:
    reply = handshake.server_reply(bytes(1536), epoch_ms=1, random_bytes=b"\xff" * 1528)
    assert reply[5:9] == bytes(4)


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (6, "found version 6 in C0, expected 3: this is encrypted RTMPE"),
        (8, "RTMPE"),
        (0x16, "looks like TLS"),
        (ord("G"), "text protocol such as HTTP"),
        (0, "reserves"),
        (31, "reserves"),
    ],
)
def test_other_versions_are_refused_with_what_they_probably_are(version: int, says: str) -> None:
    with pytest.raises(HandshakeError, match=says):
        handshake.check_version(version)


def test_version_3_is_spoken() -> None:
    handshake.check_version(3)
