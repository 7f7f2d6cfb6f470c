"""Judges a comment and a revision by the channel's rules and by what was written before."""

from itertools import islice
from typing import Final

from processors.comment_memory import Comment
from processors.comment_queue import Held
from processors.comment_rules import FLOOD_MS, Finding, Rank, Reason, Rules, rank_of
from processors.comment_state import CommentState
from schemas.events import Act, CommentRevised, CommentSubmitted

MAX_NOTE: Final = 300
SEEN_BACK: Final = 50
"""So many of a user's comments on a video are looked through for one that is shown."""


def judge(state: CommentState, comment: Held, event: CommentSubmitted) -> Finding | None:
    """Why a comment is rejected or held; None: it is accepted."""
    rules, rank = state.rules.of(comment.channel), rank_of(comment.role)
    for_all = rules.of_size(comment.text) or _of_parent(state, comment)
    if for_all or rank >= Rank.MODERATOR:
        return for_all
    of_words = rules.of_words(comment.text, rank)
    rejected = (
        _of_writer(state, rules, comment, event.address, rank)
        or (Finding(Reason.CLASSIFIER) if event.screened == "reject" else None)
        or (of_words if of_words is not None and not of_words.held else None)
        or _of_pace(state, rules, comment)
    )
    if rejected:
        return rejected
    if event.screened == "hold":
        return Finding(Reason.CLASSIFIER, held=True, note=event.screened_reason[:MAX_NOTE])
    if of_words is None and rules.first_review and is_first(state, comment):
        return Finding(Reason.FIRST_MESSAGE, held=True)
    return of_words


def judge_revision(state: CommentState, revised: Held, event: CommentRevised) -> Finding | None:
    """Why a revision is rejected; nothing is held, because the text of before is shown meanwhile."""
    rules, rank = state.rules.of(revised.channel), rank_of(event.role)
    finding = _of_right(state.comments.get(event.video_id, event.comment_id), event)
    if finding or event.text is None:
        return finding
    finding = rules.of_size(revised.text)
    if finding or rank >= Rank.MODERATOR:
        return finding
    return _of_writer(state, rules, revised, event.address, rank) or rules.of_words(revised.text, rank)


def judge_held_revision(state: CommentState, held: Held, revised: Held, event: CommentRevised) -> Finding | None:
    """Why another text of a comment that waits is rejected. What would be held waits anyway."""
    if held.user_id != event.user_id:
        return Finding(Reason.UNKNOWN_COMMENT)  # nobody else knows of it
    if event.text is None:
        return None
    rules, rank = state.rules.of(held.channel), rank_of(event.role)
    finding = rules.of_size(revised.text)
    if finding or rank >= Rank.MODERATOR:
        return finding
    of_words = rules.of_words(revised.text, rank)
    return _of_writer(state, rules, revised, event.address, rank) or (None if of_words and of_words.held else of_words)


def _of_right(comment: Comment | None, event: CommentRevised) -> Finding | None:
    """A comment is changed by its writer, as long as it is shown; also one that is hidden can be removed."""
    if comment is None or (comment.marks is not None and comment.marks.removed):
        return Finding(Reason.UNKNOWN_COMMENT)
    if comment.user_id != event.user_id:
        return Finding(Reason.NOT_YOURS)
    return None if comment.shown or event.text is None else Finding(Reason.UNKNOWN_COMMENT)


def _of_parent(state: CommentState, comment: Held) -> Finding | None:
    if comment.parent_id is None or state.comments.get(comment.video_id, comment.parent_id) is not None:
        return None
    return Finding(Reason.UNKNOWN_PARENT)


def is_first(state: CommentState, comment: Held) -> bool:
    """Whether no comment of the user was seen in the channel, as far as this partition remembers."""
    if state.known.has(comment.channel, comment.user_id):
        return False
    return not any(
        earlier.shown
        for video_id in state.videos.of_channel(comment.channel)
        for earlier in islice(state.comments.back_from(state.comments.latest(video_id, comment.user_id)), SEEN_BACK)
    )


def _of_writer(state: CommentState, rules: Rules, comment: Held, address: str, rank: Rank) -> Finding | None:
    against = state.sanctions.against(comment.channel, comment.user_id, address)
    until = max(against.get(Act.BAN, 0), against.get(Act.BAN_ADDRESS, 0))
    if until > comment.submitted_ms or comment.user_id in rules.banned:
        return Finding(Reason.BANNED)
    if against.get(Act.TIMEOUT, 0) > comment.submitted_ms:
        return Finding(Reason.TIMED_OUT)
    return rules.of_writer(rank)


def _of_pace(state: CommentState, rules: Rules, comment: Held) -> Finding | None:
    """Time is the gateways' clocks, compared in both directions: a clock that is ahead locks nobody out."""
    latest = state.comments.latest(comment.video_id, comment.user_id)
    earlier = [(held.submitted_ms, held.digest) for held in state.queue.waiting_of(comment.video_id, comment.user_id)]
    if latest is not None:
        earlier.append((latest.at_ms, latest.digest))
    apart = [(abs(comment.submitted_ms - at_ms), digest) for at_ms, digest in earlier]
    if any(apart_ms < rules.slow_mode_ms for apart_ms, _ in apart):
        return Finding(Reason.SLOW_MODE)
    if any(apart_ms < rules.duplicate_ms and digest == comment.digest for apart_ms, digest in apart):
        return Finding(Reason.DUPLICATE)
    if rules.flood and _is_flood(state, rules.flood, comment):
        return Finding(Reason.FLOOD)
    return None


def _is_flood(state: CommentState, most: int, comment: Held) -> bool:
    """Whether the user's last `most` comments on the video are within 10 s of this one."""
    latest = state.comments.latest(comment.video_id, comment.user_id)
    times = [held.submitted_ms for held in state.queue.waiting_of(comment.video_id, comment.user_id)]
    times += [earlier.at_ms for earlier in islice(state.comments.back_from(latest), most)]
    return sum(abs(comment.submitted_ms - at_ms) < FLOOD_MS for at_ms in times) >= most
