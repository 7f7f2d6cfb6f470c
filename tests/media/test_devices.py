"""Devices: which renditions suit which, and in which order."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.devices import HINTS, PROFILES, Device, Offer, UnknownDeviceError, Wish, chosen, wish_of


def offer(lines: int, kilobits: int, codecs: str = "avc1.64001f", rate: float = 30.0, name: str = "") -> Offer:
    return Offer(name or f"{lines}p", codecs, lines * 16 // 9, lines, rate, kilobits * 1_000)


LADDER = [
    offer(1080, 6_000, name="source"),
    offer(240, 350),
    offer(360, 700),
    offer(480, 1_200),
    offer(720, 2_800),
]
HEVC = offer(1080, 4_000, "hvc1.1.6.L120.90", name="hevc")
AV1 = offer(1440, 5_000, "av01.0.12M.08", name="av1")


def names(offers: list[Offer]) -> list[str]:
    return [one.name for one in offers]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Device.DESKTOP, ["720p", "source", "480p", "360p", "240p"]),
        (Device.TV, ["source", "720p", "480p", "360p", "240p"]),
        (Device.TABLET, ["720p", "source", "480p", "360p", "240p"]),
        (Device.PHONE, ["480p", "720p", "360p", "240p"]),
        (Device.LOW_POWER, ["360p", "480p", "240p"]),
        (Device.AUDIO_ONLY, []),
    ],
)
def test_each_device_gets_what_suits_it_the_best_that_its_line_carries_first(
    device: Device, expected: list[str]
) -> None:
    assert names(chosen(LADDER, Wish(device))) == expected


def test_newer_codecs_come_behind_the_h264_ladder_and_not_to_a_weak_device() -> None:
    offers = [HEVC, AV1, *LADDER]
    assert names(chosen(offers, Wish()))[-2:] == ["av1", "hevc"]
    assert names(chosen(offers, Wish()))[0] == "720p"
    assert names(chosen(offers, Wish(Device.PHONE))) == ["480p", "720p", "360p", "240p"]
    assert names(chosen(offers, Wish(Device.LOW_POWER))) == ["360p", "480p", "240p"]


def test_without_h264_the_others_are_offered() -> None:
    assert names(chosen([HEVC, AV1], Wish())) == ["hevc", "av1"]
    assert names(chosen([HEVC, AV1], Wish(Device.LOW_POWER))) == ["hevc"]


def test_what_is_too_much_for_a_device_leaves_the_smallest() -> None:
    assert names(chosen([offer(1080, 8_000), offer(2160, 20_000)], Wish(Device.PHONE))) == ["1080p"]
    fast = [offer(480, 900, rate=60.0, name="fast"), offer(360, 700)]
    assert names(chosen(fast, Wish(Device.LOW_POWER))) == ["360p"]


def test_an_upright_picture_is_as_large_as_the_same_one_lying_down() -> None:
    upright = Offer("source", "avc1.64001f", 720, 1280, 30.0, 2_000_000)
    assert names(chosen([upright, offer(1080, 1_500)], Wish(Device.PHONE))) == ["source"]


@pytest.mark.parametrize(
    ("hints", "device"),
    [
        ({}, Device.DESKTOP),
        ({"sec-ch-ua-mobile": "?1", "sec-ch-ua-platform": '"Android"'}, Device.PHONE),
        ({"sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": '"Android"'}, Device.TABLET),
        ({"sec-ch-ua-mobile": "?0", "sec-ch-ua-platform": '"Linux"'}, Device.DESKTOP),
        ({"sec-ch-ua-platform": '"Tizen"'}, Device.TV),
        ({"sec-ch-ua-mobile": "nonsense"}, Device.DESKTOP),
    ],
)
def test_client_hints_tell_the_device(hints: dict[str, str], device: Device) -> None:
    assert wish_of(None, hints).device is device


def test_a_device_that_is_named_wins_over_every_hint() -> None:
    hints = {"sec-ch-ua-mobile": "?1", "save-data": "on", "ect": "2g", "downlink": "0.1"}
    assert wish_of("tv", hints) == Wish(Device.TV)


def test_an_unknown_device_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownDeviceError, match="phone, tablet, desktop, tv, low-power, audio-only, found 'fridge'"):
        wish_of("fridge", {})


@pytest.mark.parametrize(
    ("hints", "first"),
    [
        ({"ect": "4g", "downlink": "10"}, "720p"),
        ({"ect": "3g"}, "360p"),
        ({"ect": "2g"}, "240p"),
        ({"downlink": "1.75"}, "480p"),
        ({"downlink": "0"}, "240p"),
        ({"downlink": "a lot"}, "720p"),
        ({"ect": "4g", "downlink": "1.2"}, "360p"),
    ],
)
def test_a_slow_line_begins_lower_and_still_may_climb(hints: dict[str, str], first: str) -> None:
    found = names(chosen(LADDER, wish_of(None, hints)))
    assert found[0] == first
    assert sorted(found) == sorted(names(LADDER))


def test_who_saves_data_gets_small_pictures_only() -> None:
    assert names(chosen(LADDER, wish_of(None, {"save-data": "on"}))) == ["360p", "480p", "240p"]


@given(
    st.lists(st.builds(offer, st.sampled_from([240, 480, 720, 1080]), st.integers(100, 9_000)), max_size=8),
    st.sampled_from(Device),
    st.none() | st.integers(0, 10**9),
    st.booleans(),
)
def test_whatever_there_is_something_is_offered_and_nothing_twice(
    offers: list[Offer], device: Device, line_bits: int | None, saves: bool
) -> None:
    found = chosen(offers, Wish(device, line_bits, saves))
    assert bool(found) == (bool(offers) and PROFILES[device].max_lines > 0)
    assert all(found.count(one) <= offers.count(one) for one in found)
    assert all(a.bits >= b.bits for a, b in itertools.pairwise(found[1:]) if a.lines == b.lines)


@given(st.dictionaries(st.sampled_from(HINTS), st.text(max_size=20)))
def test_whatever_the_hints_say_there_is_a_wish(hints: dict[str, str]) -> None:
    assert wish_of(None, hints).device in Device
