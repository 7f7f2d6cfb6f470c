"""Playlists of subtitles (draft-pantos-hls-rfc8216bis)."""

from dataclasses import replace

from media.captions.playlist import text_playlist
from media.hls import RenditionReport, Skip, media_playlist
from tests.media.test_hls import segment, window

SEGMENTS = (segment(7), segment(8, epoch=1), replace(segment(9, 2, epoch=1), closed=False))
REPORTS = (RenditionReport("../480p/media.m3u8", 9, 1),)
VIDEO = media_playlist(window(*SEGMENTS, reports=REPORTS))


def test_text_has_the_numbers_times_and_epochs_of_the_video_and_files_of_its_own() -> None:
    text, video = text_playlist(VIDEO).splitlines(), VIDEO.splitlines()
    files = [line for line in text if not line.startswith("#")]
    assert files == ["00000007.vtt", "00000008.vtt"]
    for tag in ("#EXTINF", "#EXT-X-PROGRAM-DATE-TIME", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-SERVER-CONTROL"):
        assert [line for line in text if line.startswith(tag)] == [line for line in video if line.startswith(tag)]
    assert "#EXT-X-MAP" not in text_playlist(VIDEO)
    assert ".m4s" not in text_playlist(VIDEO)
    assert text_playlist(VIDEO).count("#EXT-X-DISCONTINUITY\n") == 1


def test_text_has_the_parts_of_the_video_and_a_hint_of_the_next() -> None:
    text = text_playlist(VIDEO)
    assert '#EXT-X-PART:DURATION=0.25000,URI="00000009.0001.vtt"' in text
    assert '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="00000009.0002.vtt"' in text
    assert text.count("#EXT-X-PART:") == VIDEO.count("#EXT-X-PART:")


def test_reports_of_other_renditions_lead_there_from_one_folder_deeper() -> None:
    assert '#EXT-X-RENDITION-REPORT:URI="../../480p/media.m3u8",LAST-MSN=9,LAST-PART=1' in text_playlist(VIDEO)


def test_a_query_goes_behind_every_segment() -> None:
    text = text_playlist(VIDEO, "?dvr=900")
    assert "\n00000007.vtt?dvr=900\n" in text
    assert 'URI="00000009.0001.vtt?dvr=900"' in text


def test_delta_updates_and_what_is_over_are_as_the_videos() -> None:
    many = [segment(number) for number in range(30)]
    assert "#EXT-X-SKIP:" in text_playlist(media_playlist(window(*many), skip=Skip.SEGMENTS))
    whole = text_playlist(media_playlist(window(*many, ended=True, vod=True)))
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in whole
    assert whole.endswith("00000029.vtt\n#EXT-X-ENDLIST\n")
