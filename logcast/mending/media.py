"""Makes objects, init segments and hot parts of a video again: from hot parts, the recording, the source, in this order.

What is found is taken only if it has the size, the times and the SHA-256 that the log or the index tells; so the same
bytes come back under the same names, whoever does it and however often, while everything else runs. Only what nobody has
any more (a segment that was lost live, or a rung that this build encodes differently) is made anew, and told on the log.
"""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from consumers.soundness.facts import AUDIO, SOURCE, Facts, Key
from consumers.soundness.findings import Finding
from consumers.soundness.gathering import Places, Report
from logcast.mending.telling import Teller
from logcast.mending.wanted import Want, Wanted, is_init
from processors.again import Again, AgainError, parts_again, rendition_of_source
from processors.remake import Remade, Source, StoredSegment, remake
from processors.replay import LoggedGop, logged_gops
from processors.transform import SourceReader
from stores.recordings import segment_name
from stores.segment_index import SegmentIndex
from stores.segments import part_name
from stores.settings import Settings

HOT: Final = "its hot parts"
RECORDING: Final = "its recording"
LOG_SOURCE: Final = "the source on the log"
RECORDED_SOURCE: Final = "the recorded source"


class MediaMender:
    """One video. `said` tells of each finding from what it was made, or why it could not be; `done`: those that were."""

    def __init__(self, settings: Settings, places: Places, facts: Facts, teller: Teller, report: Report) -> None:
        self.said: dict[Finding, str] = {}
        self.done: set[Finding] = set()
        self._settings = settings
        self._places = places
        self._facts = facts
        self._teller = teller
        self._report = report
        self._video_id = facts.video.video_id
        self._wanted = Wanted()

    async def mend(self, findings: Sequence[Finding]) -> None:
        """Make again what can be.

        Raises:
            LogError, CassandraError, RecordingsError, SegmentStoreError.
        """
        self._wanted = Wanted.of(self._facts, findings)
        for name in list(self._wanted.inits):
            await self._init(name, await asyncio.to_thread(self._places.hot.get, name), HOT)
        wants = list(self._wanted.segments.values())
        for step, want in enumerate(wants):
            self._report("stores", step, len(wants))
            await self._from_stores(want)
        if self._open():
            await self._from_log()
        if self._open():
            await self._from_recorded_source()
        for want in self._wanted.segments.values():
            self._say(want, want.problem or "neither its parts nor its source are anywhere any more")
        for finding in self._wanted.inits.values():
            self.said.setdefault(finding, "neither the hot store nor the source has it any more")

    def _open(self) -> bool:
        return bool(self._wanted.segments or self._wanted.inits)

    def _say(self, want: Want, said: str) -> None:
        for finding in want.findings:
            self.said.setdefault(finding, said)

    async def _init(self, name: str, data: bytes | None, source: str) -> None:
        if data is not None and is_init(name, data):
            await self._teller.init(name, data)
            finding = self._wanted.inits.pop(name)
            self.said[finding] = source
            self.done.add(finding)

    async def _from_stores(self, want: Want) -> None:
        for number in want.lacking:
            name = part_name(self._video_id, *want.key, number)
            want.offer(number, await asyncio.to_thread(self._places.hot.get, name), HOT)
        if want.lacking:
            want.offer_object(await self._places.cold.get(segment_name(self._video_id, *want.key)), RECORDING)
        await self._finish(want)

    async def _finish(self, want: Want) -> None:
        """Store a segment if all of it is there."""
        if not want.complete:
            return
        assert want.must is not None
        if want.object_wanted:
            pieces = [want.pieces[number] for number in range(len(want.must.parts))]
            await self._teller.stored(want.key, b"".join(pieces))
        for number in sorted(want.hot):
            await self._teller.hot(part_name(self._video_id, *want.key, number), want.pieces[number])
        self._done(want, " and ".join(want.sources))

    def _done(self, want: Want, said: str) -> None:
        del self._wanted.segments[want.key]
        self.done.update(want.findings)
        self._say(want, said)

    # -- from the source chunks of the log

    async def _from_log(self) -> None:
        gops = logged_gops(self._settings, self._facts.video)
        done, last = 0, max(self._facts.video.last_segment + 1, 1)
        while (gop := await asyncio.to_thread(next, gops, None)) is not None:
            done += gop.last_segment - gop.first_segment + 1
            self._report("source", min(done, last), last)
            for rendition in self._wanted.open_in(gop.first_segment, gop.last_segment):
                try:
                    made = await asyncio.to_thread(parts_again, gop, rendition, self._settings)
                except AgainError as error:
                    self._blame(rendition, gop.first_segment, gop.last_segment, str(error))
                else:
                    await self._take(rendition, gop, made)

    def _blame(self, rendition: str, first: int, last: int, problem: str) -> None:
        for want in self._wants(rendition, first, last):
            want.problem = problem

    def _wants(self, rendition: str, first: int, last: int) -> list[Want]:
        return [want for key, want in self._wanted.segments.items() if key[0] == rendition and first <= key[1] <= last]

    async def _take(self, rendition: str, gop: LoggedGop, made: Sequence[Again]) -> None:
        by_segment = {number: list(parts) for number, parts in groupby(made, key=lambda again: again[0].segment)}
        for name in self._wanted.open_inits(self._video_id, rendition):
            for ready, _, init in made:
                if ready.init == name and name in self._wanted.inits:
                    await self._init(name, init, LOG_SOURCE)
        for want in self._wants(rendition, gop.first_segment, gop.last_segment):
            parts = by_segment.get(want.key[1], [])
            for ready, data, _ in parts:
                want.offer(ready.part, data, LOG_SOURCE)
            await self._finish(want)
            if want.key in self._wanted.segments and self._may_be_new(want):
                await self._anew(want, gop, parts)

    def _may_be_new(self, want: Want) -> bool:
        """Whether other bytes than those of before may stand for a segment: nobody has those, and nobody is served them."""
        told = self._facts.logged.segments.get(want.key)
        hot = told is not None and bool(told.parts) and self._facts.patience.is_hot(told.ready_ms)
        return want.must is None or (
            want.object_wanted and not want.hot and not hot and want.key[0] not in {SOURCE, AUDIO}
        )

    async def _anew(self, want: Want, gop: LoggedGop, parts: Sequence[Again]) -> None:
        numbers = [ready.part for ready, *_ in parts]
        if not parts or numbers != list(range(len(numbers))):
            want.problem = f"the log lacks chunks of GOP {gop.number}"
            return
        await self._teller.anew(want.key, parts)
        encoder = parts[0][0].encoder
        self._done(want, f"{LOG_SOURCE}, made anew{f' by {encoder}' if encoder else ''}")

    # -- from the recording of the source

    async def _from_recorded_source(self) -> None:
        reader = SourceReader(SegmentIndex(self._places.cassandra), self._places.cold, self._places.hot)
        video = self._facts.video
        source = await reader.source(self._video_id, video.channel)
        wanted = {key for key in self._keys_open() if key[0] not in {SOURCE, AUDIO}}
        if source is None or not wanted:
            return
        rows = SegmentIndex(self._places.cassandra).segments(self._video_id, SOURCE, 0, max(n for _, n in wanted))
        starts = [row.number async for row in rows if row.independent]
        for step, first in enumerate(starts):
            self._report("recorded source", step, len(starts))
            last = starts[step + 1] - 1 if step + 1 < len(starts) else max(n for _, n in wanted)
            for rendition in sorted({key[0] for key in wanted if first <= key[1] <= last}):
                stored = await reader.gop(self._video_id, first, last)
                if stored:
                    await self._remade(source, stored, rendition)

    def _keys_open(self) -> Iterator[Key]:
        yield from self._wanted.segments
        yield from (finding.key for finding in self._wanted.inits.values() if finding.key is not None)

    async def _remade(self, source: Source, stored: Sequence[StoredSegment], rendition: str) -> None:
        first, last = stored[0].number, stored[-1].number
        try:
            shape = rendition_of_source(source, stored[0].init, rendition, self._settings)
        except AgainError as error:
            self._blame(rendition, first, last, str(error))
            return
        made = await asyncio.to_thread(remake, source, stored, shape, self._settings.encoder_preset)
        for name in self._wanted.open_inits(self._video_id, rendition):
            await self._init(name, made.objects.get(name.rpartition("/")[2]), RECORDED_SOURCE)
        for want in self._wants(rendition, first, last):
            data = made.objects.get(f"{want.key[1]:08d}.m4s")
            if data is not None and want.must is not None and len(data) != want.must.size:
                want.problem = f"{RECORDED_SOURCE} gives {len(data)} bytes here, expected {want.must.size}"
            want.offer_object(data, RECORDED_SOURCE)
            await self._finish(want)
            if want.key in self._wanted.segments and data is not None and self._may_be_new(want):
                await self._remade_anew(want, made)

    async def _remade_anew(self, want: Want, made: Remade) -> None:
        await self._teller.remade_anew(want.key, made)
        self._done(want, f"{RECORDED_SOURCE}, made anew")
