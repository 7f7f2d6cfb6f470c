"""What a video is about: how tags and descriptions are kept, and what is refused, by field and rule."""

import pytest

from stores.descriptions import MAX_DESCRIPTION, BadText, checked_description, checked_tags


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], ()),
        (["  Speed  run ", "#retro", "Retro"], ("Speed run", "retro")),
        (["żółw", "東京"], ("żółw", "東京")),
    ],
)
def test_tags_are_kept_once_without_the_sign_and_in_their_order(given: list[str], kept: tuple[str, ...]) -> None:
    assert checked_tags(given) == kept
    assert checked_tags(kept) == kept


@pytest.mark.parametrize("tag", ["", " ", "#", "a,b", "a" * 31, "a\nb"])
def test_a_tag_that_is_none_is_refused_by_its_rule(tag: str) -> None:
    with pytest.raises(BadText) as refused:
        checked_tags(["fine", tag])
    assert (refused.value.field, refused.value.rule) == ("tags", "tag")


def test_there_are_ten_tags_at_most() -> None:
    assert len(checked_tags([f"tag {number}" for number in range(10)])) == 10
    with pytest.raises(BadText, match="at most 10 tags, found 11"):
        checked_tags([f"tag {number}" for number in range(11)])


def test_a_description_has_lines_and_no_other_control_characters() -> None:
    assert checked_description("\n One \r\n\r\nTwo  \n\n") == " One\n\nTwo"
    with pytest.raises(BadText, match="line breaks") as refused:
        checked_description("bell \a")
    assert refused.value.rule == "characters"
    with pytest.raises(BadText, match="found 2001"):
        checked_description("a" * (MAX_DESCRIPTION + 1))
