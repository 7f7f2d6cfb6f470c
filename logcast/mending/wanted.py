"""Which media of a video are to be made again, and which pieces of them were found. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from consumers.soundness.content import init_problem, part_problem
from consumers.soundness.facts import Expected, Facts, Key, expected
from consumers.soundness.findings import NOTHING, Finding, Thing


@dataclass(slots=True)
class Want:
    """A segment of which something is to be made again.

    Attributes:
        must: what it must be; None where nobody knows, for it was lost.
        findings: what is the matter with it.
        object_wanted: its object in the recording is wanted.
        hot: numbers of the parts that are wanted in the hot store.
        pieces: bytes of parts that were found, by number.
        sources: where they were found, in words.
        problem: why a piece was not taken.
    """

    key: Key
    must: Expected | None
    findings: list[Finding] = field(default_factory=list)
    object_wanted: bool = False
    hot: set[int] = field(default_factory=set)
    pieces: dict[int, bytes] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)
    problem: str = ""

    @property
    def lacking(self) -> list[int]:
        """Numbers of the parts that are still to be found."""
        if self.must is None:
            return []
        needed = range(len(self.must.parts)) if self.object_wanted else sorted(self.hot)
        return [number for number in needed if number not in self.pieces]

    @property
    def complete(self) -> bool:
        """Every piece is there."""
        return self.must is not None and not self.lacking

    def offer(self, number: int, data: bytes | None, source: str) -> None:
        """Take the bytes of a part if they are wanted, and what they must be."""
        if data is None or self.must is None or number not in self.lacking:
            return
        must = self.must.parts[number]
        problem = part_problem(data, must)
        if not problem and len(data) != must.size:
            problem = f"it has {len(data)} bytes, expected {must.size}"
        if problem:
            self.problem = f"part {number} from {source}: {problem}"
            return
        self.pieces[number] = data
        if source not in self.sources:
            self.sources.append(source)

    def offer_object(self, data: bytes | None, source: str) -> None:
        """Take what is wanted out of the bytes of a whole segment."""
        if data is None or self.must is None or len(data) != self.must.size:
            return
        at = 0
        for number, part in enumerate(self.must.parts):
            self.offer(number, data[at : at + part.size], source)
            at += part.size


@dataclass(slots=True)
class Wanted:
    """All media of a video that are to be made again; init segments by name, with a segment that needs them."""

    segments: dict[Key, Want] = field(default_factory=dict)
    inits: dict[str, Finding] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Facts, findings: Iterable[Finding]) -> "Wanted":
        """What the findings of a video ask for."""
        wanted = cls()
        for finding in findings:
            key = finding.key
            if key is None or finding.mends == NOTHING:
                continue
            if finding.thing is Thing.INIT:
                wanted.inits[finding.name] = finding
            elif finding.thing in {Thing.OBJECT, Thing.PART, Thing.SEGMENT}:
                must = expected(key, facts.logged.segments.get(key), facts.indexed.segments.get(key))
                want = wanted.segments.setdefault(key, Want(key, must))
                want.findings.append(finding)
                want.object_wanted = want.object_wanted or finding.thing is not Thing.PART
                if finding.part >= 0:
                    want.hot.add(finding.part)
        return wanted

    def open_inits(self, video_id: str, rendition: str) -> list[str]:
        """Names of the init segments of a rendition that are still wanted."""
        return [name for name in self.inits if name.startswith(f"{video_id}/{rendition}/")]

    def open_in(self, first: int, last: int) -> Iterator[str]:
        """The renditions of which something is still wanted in a range of segments."""
        keys = [key for key, want in self.segments.items() if not want.complete]
        keys += [finding.key for finding in self.inits.values() if finding.key is not None]
        yield from sorted({rendition for rendition, number in keys if first <= number <= last})


def is_init(name: str, data: bytes | None) -> bool:
    """Whether bytes are those of the init segment of that name."""
    return data is not None and not init_problem(name, data)
