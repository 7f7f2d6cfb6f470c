"""The index as the consumers write it and gateways read it, on a real Cassandra."""

import pytest

from consumers.projections.table import writes_of_event
from schemas.events import Event, SegmentArchived, SegmentClosed, Track, VideoChanged, VideoState, Visibility
from stores.cassandra import Cassandra
from stores.segment_index import IndexedSegment, SegmentIndex
from tests.consumers.broadcast import CHANNEL, Broadcast

pytestmark = pytest.mark.integration


async def put(session: Cassandra, *events: Event) -> None:
    for event in events:
        await session.write(writes_of_event(event))


async def rows(session: Cassandra, video: str) -> list[IndexedSegment]:
    return [row async for row in SegmentIndex(session).segments(video, "source", 0, 10)]


def written(video: str, segment: int) -> list[Event]:
    parts: list[Event] = [Broadcast(video, 0).part("source", Track.VIDEO, segment, part) for part in range(3)]
    return [
        *parts,
        SegmentClosed(video_id=video, channel=CHANNEL, rendition="source", gop=segment, segment=segment, parts=3),
    ]


def archived(video: str, segment: int, at_ms: int, *missing: int) -> SegmentArchived:
    return SegmentArchived(
        video_id=video,
        channel=CHANNEL,
        rendition="source",
        segment=segment,
        size=100,
        missing=missing,
        archived_ms=at_ms,
    )


async def test_a_segment_that_was_recorded_with_gaps_is_a_gap_until_it_is_whole(session: Cassandra, video: str) -> None:
    await put(session, *written(video, 0), *written(video, 1), archived(video, 0, 1), archived(video, 1, 1, 2))
    whole, with_gap = await rows(session, video)
    assert (whole.complete, whole.settled) == (True, True)
    assert (with_gap.complete, with_gap.settled, with_gap.part_count) == (False, True, 0)
    await put(session, archived(video, 1, 2))
    assert [row.complete for row in await rows(session, video)] == [True, True]


async def test_a_video_is_read_as_its_owner_chose_and_a_removed_one_is_not_there(
    session: Cassandra, video: str
) -> None:
    broadcast = Broadcast(video, 0)
    index = SegmentIndex(session)
    assert await index.video(video) is None
    await put(session, broadcast.choice(), broadcast.video(VideoState.LIVE), broadcast.video(VideoState.ENDED))
    found = await index.video(video)
    assert isinstance(found, VideoChanged)
    assert (found.title, found.keep_days, found.visibility) == ("Ann paints a boat", 0, Visibility.UNLISTED)
    assert found.state is VideoState.ENDED
    await put(session, broadcast.removal())
    assert await index.video(video) is None
