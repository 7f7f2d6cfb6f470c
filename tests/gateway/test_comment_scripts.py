"""The page's modules for comments, run by node: what texts become, and when comments come while watching later."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.needed import missing

HERE = Path(__file__).parent
SCRIPTS = HERE.parent.parent / "gateway" / "web" / "js"
EMOTES = {"wave": "/emotes/wave.webp"}


def em(tag: str, *children: Any, **attributes: str) -> dict[str, Any]:
    return {"tag": tag, "attributes": attributes, "children": list(children)}


def link(href: str, text: str | None = None) -> dict[str, Any]:
    return em("a", text or href, href=href, rel="noopener nofollow ugc", target="_blank")


def mention(name: str) -> dict[str, Any]:
    return em("span", f"@{name}", **{"class": "comment__mention"})


WAVE = em(
    "img", **{"class": "comment__emote", "src": EMOTES["wave"], "alt": ":wave:", "title": ":wave:", "loading": "lazy"}
)

TEXTS: dict[str, list[Any]] = {
    "plain": ["plain"],
    "": [],
    "*a* **b** ~~c~~ `d`": [em("em", "a"), " ", em("strong", "b"), " ", em("del", "c"), " ", em("code", "d")],
    "**a *b* c**": [em("strong", "a ", em("em", "b"), " c")],
    "2 * 3 * 4 and a*": ["2 * 3 * 4 and a*"],
    "**open and ~~also": ["**open and ~~also"],
    "`*raw* @ann :wave: <b>`": [em("code", "*raw* @ann :wave: <b>")],
    "<img src=x onerror=alert(1)>": ["<img src=x onerror=alert(1)>"],
    "see https://example.com/a_(b)?c=1#d.": ["see ", link("https://example.com/a_(b)?c=1#d"), "."],
    "(http://example.com/x)": ["(", link("http://example.com/x"), ")"],
    "HTTPS://EXAMPLE.com": [link("https://example.com/", "HTTPS://EXAMPLE.com")],
    "javascript:alert(1) data:text/html,x xhttps://a.b": ["javascript:alert(1) data:text/html,x xhttps://a.b"],
    "https://good.com@evil.com/": ["https://good.com@evil.com/"],
    "https:// http://": ["https:// http://"],
    "hi @ann, @Zoë.": ["hi ", mention("ann"), ", ", mention("Zoë"), "."],
    "mail ann@example.com": ["mail ann@example.com"],
    ":wave: :nope: a:wave:b": [WAVE, " :nope: a", WAVE, "b"],
    ":constructor: :__proto__:": [":constructor: :__proto__:"],
    "*" * 60 + "x" + "*" * 60: [],
}

QUOTED = "**so** `1:3` @ann :wave: https://a.b/"


NAMED = {
    "@guest 12, hello": True,
    "so *@Guest 12*": True,
    "@Guest 123": False,
    "@Guest": False,
    "Guest 12": False,
    "@Guest1 2": False,
}


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What the script printed."""
    node = shutil.which("node")
    if node is None:
        missing("node", "make test-deps gets it")
    argv = [node, str(HERE / "comment_scripts.mjs"), str(SCRIPTS)]
    cases = json.dumps({"texts": list(TEXTS), "emotes": EMOTES, "named": list(NAMED), "quoted": QUOTED})
    run = subprocess.run(argv, input=cases, capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2_000:]
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize("text", [text for text, nodes in TEXTS.items() if nodes or not text])
def test_a_text_becomes_text_nodes_and_harmless_elements(said: dict[str, Any], text: str) -> None:
    assert said["parsed"][text] == TEXTS[text]


def test_a_quoted_text_has_no_marks(said: dict[str, Any]) -> None:
    assert said["quoted"] == "so 1:3 @ann :wave: https://a.b/"


def test_a_mention_is_found_wherever_it_stands(said: dict[str, Any]) -> None:
    assert said["mentioned"] == ["hi @ann, @Zoë."]


def test_a_name_of_several_words_is_mentioned(said: dict[str, Any]) -> None:
    assert dict(zip(NAMED, said["named"], strict=True)) == NAMED


def test_comments_come_with_their_picture_and_the_next_are_read_before(said: dict[str, Any]) -> None:
    steps = said["steps"]
    opened = steps["opened"]
    assert opened["reads"] == [[40_000, 145_000]]
    assert opened["log"] == ["reset", *(f"c{n}" for n in range(4, 11))], (
        "what was said in the minute before, no old bursts"
    )
    assert steps["played on"]["log"] == ["c11", "c12"]
    read_on = steps["read on"]
    assert read_on["log"] == ["c13"]
    assert len(read_on["reads"]) == 1
    assert read_on["reads"][0][0] == 145_000, "where the read before ended"


def test_after_a_seek_there_is_what_was_said_there_and_nothing_of_before(said: dict[str, Any]) -> None:
    steps = said["steps"]
    assert steps["seeked back"]["log"][:5] == ["reset", "c0", "c1", "c2", "c3"]
    racing = steps["seeked while reading"]
    assert racing["log"][0] == "reset"
    assert racing["log"][1:] == [f"c{n}" for n in range(94, 101)], "the answer for the place before came too late"


def test_a_server_that_is_away_is_asked_again_later(said: dict[str, Any]) -> None:
    steps = said["steps"]
    assert steps["away"] == {"log": [], "reads": []}, "what was shown stays meanwhile"
    assert steps["back again"]["log"][:2] == ["reset", "c194"]


def test_what_is_written_now_is_shown_once_and_only_near_its_picture(said: dict[str, Any]) -> None:
    assert said["steps"]["written now"]["log"] == ["mine", True, False, False]
    assert said["steps"]["stopped"] == {"log": [], "reads": []}
