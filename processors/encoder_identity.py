"""What encoded a picture: x264 says its build and all its settings in the first picture's SEI. Pure.

Two workers with the same identity make the same bytes of the same source. So that a standby is no gamble, parts carry it
(`PartReady.encoder`), and `consumers.copies` compares.
"""

import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import av

from media.h264 import NalType

_TOLD: Final = re.compile(rb"x264 - core (\d+)( r\w+)?.*", re.DOTALL)
_SCALER: Final = ".".join(map(str, av.library_versions["libswscale"]))
UNKNOWN: Final = "unknown"


def encoder_identity(nals: Sequence[bytes]) -> str:
    """Such as `x264 165 r3222 3f2a91c0`; the last word is of all settings and of the scaler's version.

    Args:
        nals: the NAL units of an encoder's first picture; `unknown` where none tells it.
    """
    for nal in nals:
        if nal[0] & 31 == NalType.SEI and (told := _TOLD.search(nal)):
            build, revision = told[1].decode(), (told[2] or b"").decode()
            settings = sha256(told[0].rstrip(b"\x00\x80") + _SCALER.encode()).hexdigest()[:8]
            return f"x264 {build}{revision} {settings}"
    return UNKNOWN
