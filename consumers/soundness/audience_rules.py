"""What is the matter with comments, totals and polls of a video in the index. Pure."""

from collections.abc import Iterable, Iterator

from consumers.soundness.facts import Facts
from consumers.soundness.findings import INDEX, Finding, Is, Thing
from schemas.comment_state import CommentNow


def comment_findings(facts: Facts) -> Iterator[Finding]:
    """Comments, changes of them, and the end of the feed."""
    told, indexed = facts.logged, facts.indexed
    if not facts.patience.settled(told.commented_ms):
        return
    for seq, comment in sorted(told.comments.items()):
        yield from _comment(comment, indexed.comments.get(seq))
    for seq in sorted(told.changes.keys() - indexed.changes.keys()):
        change = told.changes[seq]
        said = f"comment {change.comment_seq} was {change.change.value}; the index does not know it"
        yield Finding(Is.MISSING, Thing.CHANGE_ROW, f"change {seq}", said, INDEX)
    both = told.comments.keys() | told.changes.keys()
    if both:
        extra = [n for n in indexed.comments.keys() - both if n >= min(both)]
        for seq in sorted(extra):
            said = "the index has it, the log never had"
            yield Finding(Is.EXTRA, Thing.COMMENT_ROW, f"comment {seq}", said)
        if indexed.head < max(both):
            said = f"the index ends at {indexed.head}, the log at {max(both)}"
            yield Finding(Is.WRONG, Thing.HEAD_ROW, f"comment {max(both)}", said, INDEX)
    yield from _holes(facts, both)


def _comment(must: CommentNow, found: CommentNow | None) -> Iterator[Finding]:
    name = f"comment {must.seq}"
    if found is None:
        yield Finding(Is.MISSING, Thing.COMMENT_ROW, name, "the index does not have it", INDEX)
        return
    pairs = {
        "text": (must.text, found.text),
        "state": (must.shown, found.shown),
        "pin": (must.pinned, found.pinned),
        "id": (must.comment_id, found.comment_id),
        "author": (must.accepted.user_id, found.accepted.user_id),
    }
    different = [what for what, (wanted, has) in pairs.items() if wanted != has]
    if different:
        said = f"{' and '.join(different)} not as the log says"
        yield Finding(Is.WRONG, Thing.COMMENT_ROW, name, said, INDEX)


def _holes(facts: Facts, told: Iterable[int]) -> Iterator[Finding]:
    """Numbers are dense: what is missing in the index from before the log begins is lost."""
    indexed = facts.indexed
    first = min(told, default=indexed.head + 1)
    known = indexed.comments.keys() | indexed.changes.keys()
    for seq in range(1, min(first, indexed.head + 1)):
        if seq not in known:
            said = "the index lacks this number, and the log does not go back so far"
            yield Finding(Is.MISSING, Thing.COMMENT_ROW, f"comment {seq}", said)


def engagement_findings(facts: Facts) -> Iterator[Finding]:
    """Totals and polls: absolute values, the latest of which must be in the index."""
    told, indexed = facts.logged, facts.indexed
    if not facts.patience.settled(told.totals_ms):
        return
    if told.totals is not None:
        must, found = told.totals, indexed.totals
        if found is None:
            yield Finding(Is.MISSING, Thing.TOTALS_ROW, "likes, reactions", "the index does not have them", INDEX)
        elif (must.likes, _some(must.reactions)) != (found.likes, _some(found.reactions)):
            said = f"{found.likes} likes and {_some(found.reactions)}, the log says {must.likes} and {_some(must.reactions)}"
            yield Finding(Is.WRONG, Thing.TOTALS_ROW, "likes, reactions", said, INDEX)
    for poll_id, poll in sorted(told.polls.items()):
        row = indexed.polls.get(poll_id)
        if row is None:
            yield Finding(Is.MISSING, Thing.POLL_ROW, poll_id, "the index does not have it", INDEX)
        elif (row.question, row.options, row.votes, row.closed_ms) != (
            poll.question,
            poll.options,
            poll.votes,
            poll.closed_ms,
        ):
            yield Finding(Is.WRONG, Thing.POLL_ROW, poll_id, "it is not as the log says", INDEX)


def _some(counts: dict[str, int]) -> dict[str, int]:
    return {kind: count for kind, count in sorted(counts.items()) if count}
