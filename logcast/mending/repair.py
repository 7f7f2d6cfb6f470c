"""Repairs one video: looks, mends, looks again. What a second look still finds was not mended."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from consumers.soundness.facts import Facts, Key, Patience
from consumers.soundness.findings import Finding, Is, Thing, Verdict
from consumers.soundness.gathering import Places, Report
from consumers.soundness.rewriting import row_of
from consumers.soundness.rules import verdict
from logcast.mending.media import MediaMender
from logcast.mending.rows import RowMender
from logcast.mending.telling import Teller
from logcast.soundness import looked_at
from schemas.events import VideoChanged
from stores.kafka import EventProducer
from stores.settings import Settings

LEFT_EXTRA: Final = "left as it is; it harms nobody"
REMOVABLE: Final = "--remove-extra removes it"
LIVE: Final = "left: its video is live"


class Became(StrEnum):
    """What became of a finding."""

    MENDED = "mended"
    WOULD_BE = "would be mended"
    LEFT = "not mended"
    EXTRA = "extra"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a repair is wanted."""

    deep: bool
    dry: bool
    remove_extra: bool
    rewrite_index: bool


@dataclass(frozen=True, slots=True)
class Repaired:
    """What became of a video: its facts and verdict before, each finding with what became of it, and whether it is sound."""

    facts: Facts
    before: Verdict
    became: tuple[tuple[Finding, Became, str], ...]
    rewritten: int
    sound: bool


@dataclass(slots=True)
class Repair:
    """One video. `patience` says what is not expected yet, as of now."""

    settings: Settings
    places: Places
    video: VideoChanged
    removed: bool
    patience: Callable[[], Patience]
    report: Report
    wish: Wish

    async def run(self) -> Repaired:
        """Mend what can be mended.

        Raises:
            LogError, CassandraError, RecordingsError, SegmentStoreError: what was mended until then stays so.
        """
        facts, before = await self._look(set())
        said: dict[Finding, str] = {}
        done: set[Finding] = set()
        rewritten = 0
        async with EventProducer(self.settings, "repair") as producer:
            teller = Teller(self.places, facts, producer, dry=self.wish.dry)
            rows = RowMender(self.settings, self.places, facts, teller, self.report)
            if self.wish.rewrite_index and not self.removed:
                rewritten = await rows.every()
            if not before.sound:
                media = MediaMender(self.settings, self.places, facts, teller, self.report)
                await rows.mend(before.findings, over=False)  # first: they lead to the recorded source
                await media.mend(before.findings)
                said, done = media.said | rows.said, media.done | rows.done
            if self.wish.dry:
                return self._planned(facts, before, said, done, rewritten)
            after = before
            if before.findings:
                after = await self._again(teller, before, said, done)
        return Repaired(facts, before, tuple(self._became(before, after, said)), rewritten, after.sound)

    async def _look(self, mended: set[Key]) -> tuple[Facts, Verdict]:
        """The facts as they are now, and what is to be said; what was mended a moment ago is not too young to be judged."""
        asked = [(self.video, self.removed)]
        looked = looked_at(self.settings, self.places, asked, self.patience(), self.report, deep=self.wish.deep)
        ((facts, found),) = [one async for one in looked]
        at_once = verdict(replace(facts, patience=replace(facts.patience, settle_ms=0)))
        young = [one for one in at_once.findings if one.key in mended and one not in found.findings]
        return facts, replace(found, findings=(*found.findings, *young))

    async def _again(self, teller: Teller, before: Verdict, said: dict[Finding, str], done: set[Finding]) -> Verdict:
        """Look again; write over what has a later write time; try the rest once more; remove what two looks call extra."""
        facts, after = await self._look(_keys(done))
        tried = {row_of(one) for one in before.findings} - {None}
        stuck = [one for one in after.findings if row_of(one) in tried]
        extra = [one.name for one in self._removable(after.findings) if one in before.findings]
        if stuck:
            rows = RowMender(self.settings, self.places, facts, teller, self.report)
            await rows.mend(stuck, over=True)
            media = MediaMender(self.settings, self.places, facts, teller, self.report)
            await media.mend(after.findings)  # rows that are there now may lead to its source
            done |= media.done
            for finding, words in (rows.said | media.said).items():
                said |= {one: words for one in before.findings if _identity(one) == _identity(finding)}
        await teller.removed(extra)
        said |= {one: "removed" for one in before.findings if one.name in extra}
        return (await self._look(_keys(done)))[1] if stuck or extra else after

    def _removable(self, findings: Iterable[Finding]) -> list[Finding]:
        over = self.removed or (self.video.ended_ms is not None and self.patience().settled(self.video.ended_ms))
        wanted = self.wish.remove_extra and over
        return [one for one in findings if wanted and one.what is Is.EXTRA and one.thing is Thing.OBJECT]

    def _planned(
        self, facts: Facts, before: Verdict, said: dict[Finding, str], done: set[Finding], rewritten: int
    ) -> Repaired:
        would_go = self._removable(before.findings)
        became = []
        for one in before.findings:
            left = Became.EXTRA if one.what is Is.EXTRA else Became.LEFT
            state = Became.WOULD_BE if one in done or one in would_go else left
            became.append((one, state, self._words(one, said)))
        return Repaired(facts, before, tuple(became), rewritten, before.sound)

    def _became(
        self, before: Verdict, after: Verdict, said: dict[Finding, str]
    ) -> Iterable[tuple[Finding, Became, str]]:
        left = {_identity(one) for one in after.findings}
        known = {_identity(one) for one in before.findings}
        for one in (*before.findings, *(one for one in after.findings if _identity(one) not in known)):
            state = Became.LEFT if _identity(one) in left else Became.MENDED
            if state is Became.LEFT and one.what is Is.EXTRA:
                state = Became.EXTRA
            yield one, state, self._words(one, said)

    def _words(self, finding: Finding, said: dict[Finding, str]) -> str:
        """What was done, or why nothing was."""
        if finding in said:
            return said[finding]
        if finding.what is not Is.EXTRA:
            return "nothing mends it" if not finding.mends else f"it needs {finding.mends}"
        if finding.thing is not Thing.OBJECT:
            return LEFT_EXTRA
        if self.wish.remove_extra:
            return "it would be removed" if self._removable([finding]) else LIVE
        return REMOVABLE


def _keys(findings: Iterable[Finding]) -> set[Key]:
    return {one.key for one in findings if one.key is not None}


def _identity(finding: Finding) -> tuple[Thing, str, int]:
    return finding.thing, finding.name, finding.part
