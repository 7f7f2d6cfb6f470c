"""Text in Media Presentation Descriptions (ISO/IEC 23009-1:2022)."""

from xml.etree import ElementTree as ET

from media.captions.cues import Cue
from media.captions.wvtt import text_segment
from media.dash import NAMESPACE, TEXT_BANDWIDTH, Period, Presentation, Shape, Span, Text, Track, manifest
from tests.gateway.manifest_reader import read_manifest

SOUND = Track("audio", True, Shape("mp4a.40.2", channels=2), "init.mp4", 96_000, 1_000, 0, (Span(3_000, 2_000),), True)
SPANS = (Span(3_000, 1_000), Span(4_000, 1_000))
TEXTS = (
    Text("cc1", "Captions", "", True, "0", 7, SPANS),
    Text("pt-br", "Português & <mais>", "pt-BR", False, "1699", 7, SPANS),
)


def text() -> str:
    period = Period("0", 0, 2_000, 3_000, 0, (SOUND,), TEXTS)
    return manifest(Presentation("A title", [period], 1_000))


def sets() -> list[ET.Element]:
    root = ET.fromstring(text())
    return root.findall(f".//{{{NAMESPACE}}}AdaptationSet[@contentType='text']")


def test_5_3_3_each_track_of_text_is_a_set_of_its_own_with_a_language_and_a_number() -> None:
    found = sets()
    assert [(s.get("mimeType"), s.get("lang")) for s in found] == [
        ("application/mp4", "und"),
        ("application/mp4", "pt-BR"),
    ]
    assert len({s.get("id") for s in found}) == 2


def test_5_8_5_5_roles_tell_captions_from_subtitles() -> None:
    roles = [role.get("value") for s in sets() for role in s.findall(f"{{{NAMESPACE}}}Role")]
    assert roles == ["caption", "subtitle"]


def test_5_3_7_elements_come_in_the_order_of_the_schema() -> None:
    for found in sets():
        assert [child.tag.partition("}")[2] for child in found] == ["Label", "Role", "Representation"]


def test_text_is_in_segments_as_all_else_is() -> None:
    found = read_manifest(text()).periods[0].representations[1:]
    assert [one.id for one in found] == ["text-cc1", "text-pt-br"]
    for one, told in zip(found, TEXTS, strict=True):
        assert one.attributes["codecs"] == "wvtt", "ISO/IEC 14496-30"
        assert one.init == f"text/{told.name}/init.mp4"
        assert [(s.number, float(s.time)) for s in one.segments] == [(7, 0.0), (8, 1.0)]
        assert one.segments[0].url == f"text/{told.name}/00000007.m4s?v={told.version}"


def test_5_3_5_2_a_line_a_second_fits_into_the_bandwidth() -> None:
    cues = [
        Cue(at, at + 1_000, "Two lines of as much as is ever read\nin one second, and then a few letters more")
        for at in (0, 1_000)
    ]
    assert 8 * len(text_segment(cues, 0, 2_000, 0)) < 2 * TEXT_BANDWIDTH


def test_5_3_7_labels_are_what_viewers_read() -> None:
    labels = [label.text for s in sets() for label in s.findall(f"{{{NAMESPACE}}}Label")]
    assert labels == [told.label for told in TEXTS]
