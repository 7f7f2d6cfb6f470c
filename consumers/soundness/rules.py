"""What is missing, wrong or extra of a video: facts in, findings out. Pure.

The log is the truth as long as it has a thing; then the index is, and it must be whole in itself. A finding names one
thing, says in plain words what is the matter, and what mends it.
"""

from collections.abc import Iterator

from consumers.soundness.audience_rules import comment_findings, engagement_findings
from consumers.soundness.facts import Facts
from consumers.soundness.findings import INDEX, Finding, Is, Thing, Verdict
from consumers.soundness.known import segments_of
from consumers.soundness.media_rules import (
    extra_findings,
    init_findings,
    order_findings,
    rendition_findings,
    segment_findings,
)


def verdict(facts: Facts) -> Verdict:
    """Everything that can be said of a video."""
    found = segments_of(facts)
    judged = [one for one in found if not one.awaited]
    if facts.removed:
        findings = [*extra_findings(facts, set())]
    else:
        findings = [
            *_video(facts),
            *rendition_findings(facts, judged),
            *(finding for one in judged for finding in segment_findings(facts, one)),
            *init_findings(facts, judged),
            *order_findings(judged),
            *comment_findings(facts),
            *engagement_findings(facts),
            *_source(facts),
            *extra_findings(facts, {one.key for one in found}),
        ]
    awaited = sum(1 for one in found if one.awaited)
    return Verdict(tuple(findings), len(found), len(facts.stored.cold), len(facts.indexed.comments), awaited)


def _video(facts: Facts) -> Iterator[Finding]:
    video, row = facts.video, facts.indexed.video
    if not facts.patience.settled(video.changed_ms):
        return
    if row is None:
        yield Finding(Is.MISSING, Thing.VIDEO_ROW, video.video_id, "the index does not know it", INDEX)
        return
    names = ("channel", "title", "state", "ended_ms", "last_segment", "keep_days", "visibility")
    different = [name for name in names if getattr(row, name) != getattr(video, name)]
    if different:
        said = f"{', '.join(different)} not as the log says"
        yield Finding(Is.WRONG, Thing.VIDEO_ROW, video.video_id, said, INDEX)


def _source(facts: Facts) -> Iterator[Finding]:
    for said in facts.logged.source_gaps:
        yield Finding(Is.MISSING, Thing.SOURCE_CHUNK, facts.video.video_id, said)
