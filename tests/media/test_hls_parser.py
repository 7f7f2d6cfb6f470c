"""The playlists before a parser that is not ours: npm `hls-parser` in strict mode finds nothing."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.gateway.story import RENDITIONS, told
from tests.media.test_hls import golden_playlists
from tests.media.test_hls_multivariant import golden_multivariants
from tests.needed import missing

HERE = Path(__file__).parent
PARSER = HERE.parent / "vendor" / "hls-parser-0.16.1" / "hls-parser.min.js"


def faults(playlists: dict[str, str]) -> dict[str, str]:
    """What hls-parser finds wrong, by the playlist's name."""
    node = shutil.which("node")
    if node is None:
        missing("node", "make test-deps gets it")
    argv = [node, str(HERE / "parse_playlists.js"), str(PARSER)]
    run = subprocess.run(argv, input=json.dumps(playlists), capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stderr[-2_000:]
    said: dict[str, str | None] = json.loads(run.stdout)
    assert said.keys() == playlists.keys()
    return {name: fault for name, fault in said.items() if fault is not None}


def test_hls_parser_finds_nothing_in_the_golden_playlists() -> None:
    assert not faults(golden_playlists() | golden_multivariants())


def test_hls_parser_finds_nothing_in_the_playlists_of_a_broadcast() -> None:
    story = told()
    playlists = {"multivariant": story.multivariant}
    for name in RENDITIONS:
        for kind, texts in (("full", story.full), ("delta", story.delta), ("v2", story.delta_of_dates)):
            playlists |= {f"{name}-{kind}-{at}": text for at, text in enumerate(texts[name])}
        playlists |= {f"{name}-ended": story.ended[name], f"{name}-vod": story.vod[name]}
    playlists |= {f"iframes-{at}": text for at, text in enumerate(story.iframes)}
    assert len(playlists) > 1_000
    assert not faults(playlists)


def test_hls_parser_does_find_faults() -> None:
    good = golden_playlists()["live.m3u8"]
    assert faults({"long": good.replace("#EXTINF:1.00000", "#EXTINF:9.00000")})
    assert faults({"two": good + good.splitlines()[-3] + "\n", "late": good.replace("HOLD-BACK=6", "HOLD-BACK=5")})
