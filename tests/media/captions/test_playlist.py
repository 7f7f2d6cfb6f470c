"""Playlists of subtitles (draft-pantos-hls-rfc8216bis)."""

from dataclasses import replace

from media.captions.playlist import text_playlist
from tests.media.test_hls import segment

SEGMENTS = [segment(7), segment(8, epoch=1), replace(segment(9, epoch=1), closed=False)]


def test_the_complete_segments_are_listed_with_the_videos_numbers_and_epochs() -> None:
    assert text_playlist(SEGMENTS, 2, ended=False).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:6",
        "#EXT-X-TARGETDURATION:2",
        "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6",
        "#EXT-X-MEDIA-SEQUENCE:7",
        "#EXT-X-DISCONTINUITY-SEQUENCE:0",
        *(line for line in text_of(7, discontinuity=False)),
        *(line for line in text_of(8, discontinuity=True)),
    ]


def text_of(number: int, *, discontinuity: bool) -> list[str]:
    found = next(s for s in SEGMENTS if s.number == number)
    seconds = found.start_ms / 1000
    assert seconds == int(seconds)
    return [
        *(["#EXT-X-DISCONTINUITY"] if discontinuity else []),
        f"#EXT-X-PROGRAM-DATE-TIME:2023-11-14T22:13:{20 + number:02d}.000Z",
        "#EXTINF:1.00000,",
        f"{number:08d}.vtt",
    ]


def test_a_whole_video_is_on_demand_and_ends() -> None:
    text = text_playlist(SEGMENTS[:2], 2, ended=True, vod=True)
    assert "#EXT-X-PLAYLIST-TYPE:VOD\n" in text
    assert "SERVER-CONTROL" not in text
    assert text.endswith("#EXT-X-ENDLIST\n")


def test_a_window_that_ended_says_so_without_a_type() -> None:
    text = text_playlist(SEGMENTS[1:2], 2, ended=True)
    assert "PLAYLIST-TYPE" not in text
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1\n" in text
    assert "#EXT-X-DISCONTINUITY\n" not in text


def test_nothing_yet_is_a_playlist_all_the_same() -> None:
    assert text_playlist([], 2, ended=False).endswith("#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-DISCONTINUITY-SEQUENCE:0\n")
