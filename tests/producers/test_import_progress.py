"""How far the workers are with an import, by what they announce."""

from producers.import_progress import ImportProgress
from schemas.events import SegmentClosed


def closed(rendition: str, segment: int, video_id: str = "ours") -> SegmentClosed:
    return SegmentClosed(video_id=video_id, channel="ann", rendition=rendition, gop=segment, segment=segment, parts=1)


def test_a_segment_is_done_when_every_rendition_has_it_and_who_lacks_it_is_named() -> None:
    progress = ImportProgress()
    progress.video_id = "ours"
    assert progress.done == -1
    assert progress.missing(1) == "the workers: segment 1 (nothing came yet)"
    for event in (closed("source", 1), closed("240p", 0), closed("audio", 1), closed("240p", 1, "another")):
        progress.apply(event)
    assert progress.done == 0
    assert progress.missing(1) == "the workers: segment 1 (240p has 0)"
    progress.apply(closed("240p", 1))
    assert progress.done == 1
