"""Writes rows of the index again: from the log, and where that has forgotten a segment, from its recorded object."""

import asyncio
from collections.abc import Collection, Iterator, Sequence

from consumers.projections.requested import segment_writes_of
from consumers.projections.table import TOPICS
from consumers.soundness.facts import Facts
from consumers.soundness.findings import INDEX, Finding
from consumers.soundness.gathering import Places, Report, events_of, partitions_of
from consumers.soundness.object_row import Recording, UntoldError, segment_of_object
from consumers.soundness.rewriting import Rewriting, Row, every_write, later, row_of
from logcast.mending.telling import Teller
from schemas.events import Event
from schemas.topics import (
    COMMENTS_FEED,
    MEDIA_JOBS,
    MEDIA_PARTS,
    MEDIA_RENDITIONS,
    RECORDINGS,
    TOTALS,
    VIDEOS,
    VIDEOS_SETTINGS,
    Topic,
)
from stores.cassandra import Write
from stores.log_reader import now_ms
from stores.recordings import segment_name
from stores.segment_index import IndexedSegment, SegmentIndex
from stores.settings import Settings

OF_ROWS = (
    MEDIA_PARTS,
    MEDIA_JOBS,
    MEDIA_RENDITIONS,
    RECORDINGS,
    COMMENTS_FEED,
    TOTALS,
    VIDEOS,
    VIDEOS_SETTINGS,
)
"""Whose events the rows are made of that `verify` looks at."""
FROM_LOG = "the log"
FROM_OBJECT = "its recorded object"
BATCH = 500


class RowMender:
    """The rows of one video. `said` tells of each finding from what it was written, or why it could not be; `done`: those that were."""

    def __init__(self, settings: Settings, places: Places, facts: Facts, teller: Teller, report: Report) -> None:
        self.said: dict[Finding, str] = {}
        self.done: set[Finding] = set()
        self._settings = settings
        self._places = places
        self._facts = facts
        self._teller = teller
        self._report = report

    async def mend(self, findings: Sequence[Finding], *, over: bool) -> None:
        """Write the rows that the findings name; `over` what has a later write time than it should have.

        Raises:
            LogError, CassandraError, RecordingsError.
        """
        rows = {finding: row for finding in findings if (row := row_of(finding)) is not None}
        logged = {finding: row for finding, row in rows.items() if finding.mends == INDEX}
        if logged:
            await self._from_log(logged, over=over)
        others = [finding for finding in rows if finding not in logged]
        for step, finding in enumerate(sorted(others, key=lambda one: one.key or ("", 0))):
            self._report("objects", step, len(others))
            await self._from_object(finding, rows[finding])

    async def every(self) -> int:
        """Write everything again that the log has of the video; how many rows."""
        count, batch = 0, list[Write]()
        for write in every_write(await asyncio.to_thread(lambda: list(self._events(TOPICS)))):
            batch.append(write)
            count += 1
            if len(batch) == BATCH:
                await self._teller.rows(batch)
                batch = []
        await self._teller.rows(batch)
        return count

    async def _from_log(self, wanted: dict[Finding, Row], *, over: bool) -> None:
        rewriting = await asyncio.to_thread(self._rewriting, set(wanted.values()))
        for finding, row in wanted.items():
            writes = rewriting.writes.get(row, [])
            if over:
                writes = later(row, writes, now_ms() * 1000)
            await self._teller.rows(writes)
            over_said = ", over a later write" if over else ""
            self.said[finding] = f"{FROM_LOG}{over_said}" if writes else "the log does not have it any more"
            self.done |= {finding} if writes else set()

    def _rewriting(self, wanted: Collection[Row]) -> Rewriting:
        rewriting = Rewriting(wanted)
        for event in self._events(OF_ROWS):
            rewriting.take(event)
        return rewriting

    def _events(self, topics: Sequence[Topic]) -> Iterator[Event]:
        """What the log has of the video on some topics; blocking."""
        video = self._facts.video
        (partition,) = partitions_of(self._settings, [video])
        for step, topic in enumerate(topics):
            self._report("log", step, len(topics))
            where = 0 if topic.partitions == 1 else partition
            yield from (event for _, event, _ in events_of(self._settings, topic, where, [video]))

    async def _from_object(self, finding: Finding, row: Row) -> None:
        """Nobody else writes such a row any more, so that it may have the time of now: a deletion does not hide it."""
        assert finding.key is not None
        video, (rendition, number) = self._facts.video, finding.key
        data = await self._places.cold.get(segment_name(video.video_id, rendition, number))
        try:
            segment, track = segment_of_object(
                f"{video.video_id}/{rendition}", number, data or b"", await self._around(rendition, number)
            )
        except UntoldError as error:
            self.said[finding] = str(error)
            return
        writes = segment_writes_of(video.video_id, video.channel, rendition, track, segment, now_ms())
        await self._teller.rows(later(row, writes, now_ms() * 1000))
        self.said[finding] = FROM_OBJECT
        self.done.add(finding)

    async def _around(self, rendition: str, number: int) -> Recording:
        video_id = self._facts.video.video_id
        index = SegmentIndex(self._places.cassandra)
        beside: dict[int, IndexedSegment] = {}
        async for row in index.segments(video_id, rendition, max(0, number - 1), number + 1):
            beside[row.number] = row
        folder = f"{video_id}/{rendition}/"
        inits: dict[str, bytes] = {}
        for name in self._facts.stored.cold:
            if name.startswith(f"{folder}init-"):
                inits[name.removeprefix(folder)] = await self._places.cold.get(name) or b""
        alone = not beside and not any(key[0] == rendition for key in self._facts.indexed.segments)
        return Recording(self._facts.video.started_ms, beside, alone, inits)
