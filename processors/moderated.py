"""Does what moderators order, and takes it back.

Every act is noted with its id: a repeat is nothing new. An act that `undoes` another switches that one off wherever it left
an entry (`processors.act_entries`), and does nothing else; it can itself be taken back.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from processors.act_entries import CLEARED, Entry, add, switch
from processors.comment_memory import Comment
from processors.comment_queue import Held
from processors.comment_rules import Reason
from processors.comment_state import CommentState
from processors.comment_videos import Pin, Pinned, Video
from processors.fold import FoldError
from processors.moderation_state import Ordered, rules_row
from schemas.events import Act, Change, ModerationActed, ModerationOrdered

MAX_ID: Final = 80
EVERYWHERE: Final = ".known"
"""Ends the id of the act that tells all partitions what an approval means for its writer."""
OF_USERS: Final = frozenset({Act.TIMEOUT, Act.UNTIMEOUT, Act.BAN, Act.UNBAN, Act.HIDE_USER, Act.SHOW_USER})
OF_ADDRESSES: Final = frozenset({Act.BAN_ADDRESS, Act.UNBAN_ADDRESS})


def order(state: CommentState, event: ModerationOrdered, offset: int) -> None:
    """Do an act, or take one back.

    Raises:
        FoldError: it does not say what it needs to.
    """
    act = event.act
    if state.acts.get(act.act_id) is not None:
        return
    rules = _checked(event)
    noted = state.acts.note(act, offset)
    if act.undoes:
        _take_back(state, noted, act)
    elif act.kind is Act.RULES:
        state.rules.note(noted, rules)
    elif act.kind in _DO:
        _DO[act.kind](state, noted, act)
    else:
        state.sanctions.note(noted, act.until_ms)


def _checked(event: ModerationOrdered) -> dict[str, Any]:
    """The rules of the act, if it has any, as its row keeps them."""
    act = event.act
    if (event.channel, event.video_id) != (act.channel, act.video_id):
        raise FoldError(f"expected an act on {event.channel}/{event.video_id}, found {act.channel}/{act.video_id}")
    if any(len(text) > MAX_ID for text in (act.act_id, act.comment_id, act.user_id, act.address, act.undoes, act.by)):
        raise FoldError(f"expected ids of at most {MAX_ID} characters")
    if not act.act_id or "/" in act.act_id or act.undoes == act.act_id:
        raise FoldError(f"expected the id of an act, found {act.act_id!r}")
    if act.undoes:
        return {}
    if act.kind is Act.RULES and act.rules is not None:
        return rules_row(act.rules)
    of_user = act.kind in OF_USERS or (act.kind is Act.APPROVE and not act.video_id)
    if not (act.address if act.kind in OF_ADDRESSES else act.user_id if of_user else act.comment_id):
        raise FoldError(f"expected whom the act {act.kind} is about, found nothing")
    return {}


def _take_back(state: CommentState, noted: Ordered, act: ModerationActed) -> None:
    """Along the chain of acts that take acts back, to the one that did something; ids only lead to the past."""
    by, off, target = noted.act_id, True, state.acts.get(noted.undoes)
    while target is not None and state.acts.turned(target, by, off=off):
        if not target.undoes:
            _TURN.get(target.kind, _turn_sanction)(state, target, act, noted.offset)
        by, off, target = target.act_id, not target.off, state.acts.get(target.undoes)


# -- comments that are hidden and shown


def _touch(state: CommentState, noted: Ordered, act: ModerationActed) -> None:
    """An act on a comment, or on all of a user, as far as they are remembered."""
    clears = noted.kind in CLEARED
    for comment in list(_comments_of(state, noted)):
        marks = comment.marks
        if (marks is not None and marks.removed) or (clears and (marks is None or not marks.acts)):
            continue
        was = comment.shown
        add(state.comments.marked(comment).acts, Entry(noted.act_id, noted.kind))
        _tell(state, comment, act, noted.offset, was=was)
    if noted.kind in OF_USERS:
        for held in state.queue.of_user(noted.channel, noted.user_id, noted.video_id):
            if held.acts or not clears:
                _decide(state, held, noted.offset, lambda held: add(held.acts, Entry(noted.act_id, noted.kind)))


def _turn_touched(state: CommentState, target: Ordered, act: ModerationActed, offset: int) -> None:
    for comment in list(_comments_of(state, target)):
        if comment.marks is not None and any(entry.act_id == target.act_id for entry in comment.marks.acts):
            was = comment.shown
            switch(state.comments.marked(comment).acts, target.act_id, on=not target.off)
            _tell(state, comment, act, offset, was=was)
    if target.kind in OF_USERS:
        for held in state.queue.of_user(target.channel, target.user_id, target.video_id):
            _decide(state, held, offset, lambda held: switch(held.acts, target.act_id, on=not target.off))


def _tell(state: CommentState, comment: Comment, act: ModerationActed, offset: int, *, was: bool) -> None:
    video = state.videos.entered(comment.video_id, act.channel)
    if comment.shown is not was:
        change, more = (Change.HIDDEN, -1) if was else (Change.SHOWN, 1)
        state.change(comment, video, change, act, offset, more)
        state.repin(video, act, offset)


def _comments_of(state: CommentState, act: Ordered) -> Iterator[Comment]:
    """The comments that an act is about, in their order; none of another channel."""
    if act.kind in OF_USERS:
        mine = state.videos.of_channel(act.channel)
        for video_id in sorted(mine & {act.video_id} if act.video_id else mine):
            latest = state.comments.latest(video_id, act.user_id)
            yield from reversed(list(state.comments.back_from(latest)))
    elif _video(state, act) is not None and (comment := state.comments.get(act.video_id, act.comment_id)) is not None:
        yield comment


def _video(state: CommentState, act: Ordered) -> Video | None:
    """The video of an act, if it is one of its channel."""
    video = state.videos.get(act.video_id)
    return video if video is not None and video.channel in {"", act.channel} else None


# -- pinned comments


def _pin(state: CommentState, noted: Ordered, act: ModerationActed) -> None:
    video, comment = _video(state, noted), state.comments.get(noted.video_id, noted.comment_id)
    if video is None:
        return
    if comment is not None:
        pinned = Pinned(comment.comment_id, comment.seq, comment.user_id)
    else:  # one that is pinned can be unpinned whenever it was written
        mine = [pin for pin in (video.pins.shown if video.pins else []) if pin.comment_id == noted.comment_id]
        if not mine or noted.kind is Act.PIN:
            return
        pinned = mine[0]
    state.videos.entered(video.video_id, act.channel)
    state.videos.pins(video).add(Pin(noted.act_id, noted.kind is Act.PIN, pinned))
    state.repin(video, act, noted.offset)


def _turn_pin(state: CommentState, target: Ordered, act: ModerationActed, offset: int) -> None:
    video = _video(state, target)
    if video is None or video.pins is None:
        return
    for pin in state.videos.pins(video).acts:
        if pin.act_id == target.act_id:
            pin.on = not target.off
    state.repin(video, act, offset)


# -- held comments


def _approve(state: CommentState, noted: Ordered, act: ModerationActed) -> None:
    """Let a held comment into the feed; without a comment: let its writer's first comment pass."""
    if not noted.video_id:
        state.known.add(noted.channel, noted.user_id, noted.offset)
        return
    held = state.queue.get(noted.video_id, noted.comment_id)
    if held is None or held.channel != noted.channel:
        return
    state.queue.remove(held)
    state.accept(held, noted.offset, act)
    if held.reason == Reason.FIRST_MESSAGE and not state.known.has(held.channel, held.user_id):
        state.order_everywhere(_of_writer(act, held.user_id))
    state.known.add(held.channel, held.user_id, noted.offset)


def _turn_approval(state: CommentState, target: Ordered, act: ModerationActed, offset: int) -> None:
    """An approval that is taken back hides the comment, which has its number; its writer is not known any more."""
    comments = list(_comments_of(state, target))
    for user_id in {comment.user_id for comment in comments} or {target.user_id} - {""}:
        if target.off:
            state.known.discard(target.channel, user_id)
        else:
            state.known.add(target.channel, user_id, offset)
    for comment in comments:
        state.order_everywhere(_of_writer(act, comment.user_id))
    _turn_touched(state, target, act, offset)


def _of_writer(act: ModerationActed, user_id: str) -> ModerationActed:
    """An approval, or what takes it back, as it is for the partitions of the channel's other videos."""
    undoes = f"{act.undoes}{EVERYWHERE}" if act.undoes else ""
    return replace(act, act_id=f"{act.act_id}{EVERYWHERE}", video_id="", comment_id="", user_id=user_id, undoes=undoes)


def _decline(state: CommentState, noted: Ordered, _: ModerationActed) -> None:
    held = state.queue.get(noted.video_id, noted.comment_id)
    if held is None or held.channel != noted.channel:
        return
    _decide(state, held, noted.offset, lambda held: add(held.acts, Entry(noted.act_id, Act.DECLINE)))


def _turn_decline(state: CommentState, target: Ordered, _: ModerationActed, offset: int) -> None:
    """A decline that is taken back lets the comment wait again."""
    held = state.queue.get(target.video_id, target.comment_id)
    if held is not None:
        _decide(state, held, offset, lambda held: switch(held.acts, target.act_id, on=not target.off))


def _decide(state: CommentState, held: Held, offset: int, note: Callable[[Held], None]) -> None:
    """Change the acts on a comment that waits or was declined, and tell whether it waits now."""
    was = held.declined
    note(held)
    state.queue.changed(held)
    if was and not held.declined:
        state.tell_held(held, offset)
    elif held.declined and not was:
        state.decline(held, offset)


# -- users, addresses, rules


def _turn_sanction(state: CommentState, target: Ordered, _: ModerationActed, __: int) -> None:
    state.sanctions.switch(target, on=not target.off)


def _turn_rules(state: CommentState, target: Ordered, _: ModerationActed, __: int) -> None:
    state.rules.switch(target, on=not target.off)


Do = Callable[[CommentState, Ordered, ModerationActed], None]
Turn = Callable[[CommentState, Ordered, ModerationActed, int], None]
_DO: Final[dict[Act, Do]] = {
    Act.HIDE: _touch,
    Act.SHOW: _touch,
    Act.HIDE_USER: _touch,
    Act.SHOW_USER: _touch,
    Act.PIN: _pin,
    Act.UNPIN: _pin,
    Act.APPROVE: _approve,
    Act.DECLINE: _decline,
}
_TURN: Final[dict[Act, Turn]] = {
    Act.HIDE: _turn_touched,
    Act.SHOW: _turn_touched,
    Act.HIDE_USER: _turn_touched,
    Act.SHOW_USER: _turn_touched,
    Act.PIN: _turn_pin,
    Act.UNPIN: _turn_pin,
    Act.APPROVE: _turn_approval,
    Act.DECLINE: _turn_decline,
    Act.RULES: _turn_rules,
}
