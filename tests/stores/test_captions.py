"""Captions in a real Cassandra: what was written is read back, in order."""

import secrets
from dataclasses import replace

import pytest

from schemas.events import CaptionKind, CaptionsFound, CaptionsUploaded, PictureCaptions
from stores.captions import BUCKET, CaptionStore, caption_writes, file_of
from stores.cassandra import Cassandra

pytestmark = pytest.mark.integration

VIDEO = secrets.token_hex(10)


def found(segment: int, part: int) -> CaptionsFound:
    return CaptionsFound(
        video_id=VIDEO,
        channel="ann",
        gop=segment,
        segment=segment,
        part=part,
        epoch=0,
        timescale=90_000,
        pictures=(PictureCaptions(pts=segment * 90_000 + part, data=b"\xfc\x94\x20" * (part + 1)),),
    )


def upload(language: str, text: str) -> CaptionsUploaded:
    return CaptionsUploaded(
        video_id=VIDEO,
        channel="ann",
        language=language,
        label="A label",
        kind=CaptionKind.SUBTITLES,
        text=text,
        uploaded_ms=1_700_000_000_000,
        uploaded_by="owner",
    )


async def test_captions_of_a_range_of_segments_come_back_in_order(session: Cassandra) -> None:
    places = [(segment, part) for segment in (0, 5, BUCKET - 1, BUCKET, 2 * BUCKET) for part in (0, 1)]
    events = [found(*place) for place in places]
    await session.write([write for event in reversed(events) for write in caption_writes(event)])
    store = CaptionStore(session)
    assert [event async for event in store.found(VIDEO, 0, 3 * BUCKET)] == events
    assert [event async for event in store.found(VIDEO, 5, BUCKET)] == events[2:8]


async def test_the_newest_upload_counts_and_an_empty_one_takes_it_away(session: Cassandra) -> None:
    store, first = CaptionStore(session), upload("pt-BR", "WEBVTT\n\n00:01.000 --> 00:02.000\nolá\n")
    newer = replace(first, label="Newer", uploaded_ms=first.uploaded_ms + 5)
    await session.write([write for event in (newer, first) for write in caption_writes(event)])
    assert await store.files(VIDEO) == [file_of(newer)]
    assert await store.text(VIDEO, "pt-BR") == first.text
    assert await store.text(VIDEO, "en") is None
    gone = replace(first, text="", uploaded_ms=first.uploaded_ms + 9)
    await session.write(caption_writes(gone))
    assert await store.files(VIDEO) == []
    assert await store.text(VIDEO, "pt-BR") == ""
