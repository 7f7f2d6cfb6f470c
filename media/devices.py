"""Which renditions suit a device, and in which order: a pure function of what there is and what the client says.

A client names its kind (`deviceType`), or a browser hints at it: `Sec-CH-UA-Mobile` and `Sec-CH-UA-Platform` (User-Agent
Client Hints), `Save-Data`, `ECT` and `Downlink` (Network Information). The network is measured once and changes; so it
decides which rendition is tried first, and never which ones there are. HLS, DASH and the frame endpoint ask here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

HINTS: Final = ("sec-ch-ua-mobile", "sec-ch-ua-platform", "save-data", "ect", "downlink")
"""The request headers that an answer depends on where no device is named."""

SAVING_LINES: Final = 480
SAVING_BITS: Final = 1_000_000
USABLE_SHARE: Final = 0.7
"""Of what a line carries, so that it is not filled to the brim."""

_ECT_BITS: Final = {"slow-2g": 50_000, "2g": 300_000, "3g": 1_000_000}
_TELEVISIONS: Final = ("tizen", "webos", "android tv", "fuchsia")


class UnknownDeviceError(ValueError):
    """A device type that there is no profile of; the message lists those that there are."""


class Device(StrEnum):
    """A kind of device; the value is what `deviceType` says."""

    PHONE = "phone"
    TABLET = "tablet"
    DESKTOP = "desktop"
    TV = "tv"
    LOW_POWER = "low-power"
    AUDIO_ONLY = "audio-only"


@dataclass(frozen=True, slots=True)
class Profile:
    """What suits a kind of device.

    Attributes:
        max_lines: of the picture's shorter side; 0 for no picture at all.
        start_bits: the first rendition is the best that needs no more bits per second.
        max_frame_rate: in frames per second.
        plain: H.264 alone, which every chip decodes.
    """

    max_lines: int
    start_bits: int
    max_frame_rate: float = 120.0
    plain: bool = False


PROFILES: Final = {
    Device.PHONE: Profile(720, 2_000_000),
    Device.TABLET: Profile(1_080, 3_000_000),
    Device.DESKTOP: Profile(4_320, 3_500_000),
    Device.TV: Profile(4_320, 8_000_000),
    Device.LOW_POWER: Profile(480, 1_000_000, max_frame_rate=30.5, plain=True),
    Device.AUDIO_ONLY: Profile(0, 0),
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client is and wants: its kind, its line's bits per second as far as known, and whether it saves data."""

    device: Device = Device.DESKTOP
    line_bits: int | None = None
    saves_data: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """A video rendition that there is: all its codecs with commas between them, its largest picture and highest rate.

    `frame_rate` is 0 where it is not known, `bits` is the peak per second.
    """

    name: str
    codecs: str
    width: int
    height: int
    frame_rate: float
    bits: float

    @property
    def lines(self) -> int:
        """Of its shorter side: what 720p says of a picture, upright or not."""
        return min(self.width, self.height)

    @property
    def plain(self) -> bool:
        """Whether it is H.264, which every player has."""
        return all(one.startswith(("avc1", "avc3")) for one in self.codecs.split(","))


def named(device_type: str) -> Device:
    """The device of a `deviceType`.

    Raises:
        UnknownDeviceError: there is no such profile.
    """
    try:
        return Device(device_type)
    except ValueError:
        raise UnknownDeviceError(
            f"expected deviceType to be one of {', '.join(Device)}, found {device_type[:40]!r}"
        ) from None


def wish_of(device_type: str | None, hints: Mapping[str, str]) -> Wish:
    """What a request wishes: of the device that it names, else of the headers (by lower-case name) that hint at one.

    Raises:
        UnknownDeviceError: the device that it names has no profile.
    """
    if device_type is not None:
        return Wish(named(device_type))
    return Wish(_hinted_device(hints), _line_bits(hints), hints.get("save-data", "").strip().lower() == "on")


def chosen(offers: Sequence[Offer], wish: Wish) -> list[Offer]:
    """The renditions for a client, the one to begin with first; none for a device without a picture.

    H.264 comes before other codecs, so that players that know nothing else begin with what they can play. Where all of
    them are too much for the device, the smallest is left.
    """
    profile = PROFILES[wish.device]
    if profile.max_lines == 0:
        return []
    lines = min(profile.max_lines, SAVING_LINES) if wish.saves_data else profile.max_lines
    plain = _suiting([offer for offer in offers if offer.plain], profile, lines)
    others = [] if profile.plain and plain else _suiting([o for o in offers if not o.plain], profile, lines)
    if not plain:
        return _in_order(others, _start_bits(profile, wish))
    return [*_in_order(plain, _start_bits(profile, wish)), *_best_first([o for o in others if o.lines <= lines])]


def _suiting(offers: Sequence[Offer], profile: Profile, lines: int) -> list[Offer]:
    suits = [offer for offer in offers if offer.lines <= lines and offer.frame_rate <= profile.max_frame_rate]
    return suits or sorted(offers, key=lambda offer: (offer.lines, offer.bits))[:1]


def _in_order(offers: Sequence[Offer], start_bits: float) -> list[Offer]:
    """The best that the line carries first, then all others from the best down."""
    ordered = _best_first(offers)
    fitting = [offer for offer in ordered if offer.bits <= start_bits]
    first = fitting[0] if fitting else ordered[-1] if ordered else None
    return [] if first is None else [first, *(offer for offer in ordered if offer is not first)]


def _best_first(offers: Sequence[Offer]) -> list[Offer]:
    return sorted(offers, key=lambda offer: (offer.lines, offer.bits), reverse=True)


def _start_bits(profile: Profile, wish: Wish) -> float:
    limits: list[float] = [profile.start_bits]
    if wish.line_bits is not None:
        limits.append(USABLE_SHARE * wish.line_bits)
    if wish.saves_data:
        limits.append(SAVING_BITS)
    return min(limits)


def _hinted_device(hints: Mapping[str, str]) -> Device:
    platform = hints.get("sec-ch-ua-platform", "").strip().strip('"').lower()
    if platform.startswith(_TELEVISIONS):
        return Device.TV
    if hints.get("sec-ch-ua-mobile", "").strip() == "?1":
        return Device.PHONE
    return Device.TABLET if platform in ("android", "ios") else Device.DESKTOP


def _line_bits(hints: Mapping[str, str]) -> int | None:
    """Bits per second by `Downlink` (Mbit/s) and `ECT`, the lower one; None where neither says anything."""
    found = [_ECT_BITS[ect]] if (ect := hints.get("ect", "").strip().lower()) in _ECT_BITS else []
    whole, _, fraction = hints.get("downlink", "").strip().partition(".")
    if whole.isdecimal() and whole.isascii() and len(whole) < 6 and (not fraction or fraction[:3].isdecimal()):
        found.append(round(float(f"{whole}.{fraction[:3] or '0'}") * 1_000_000))
    return min(found, default=None)
