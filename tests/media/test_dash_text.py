"""Text in Media Presentation Descriptions (ISO/IEC 23009-1:2022)."""

from xml.etree import ElementTree as ET

from media.dash import NAMESPACE, Period, Presentation, Shape, Span, Text, Track, manifest

SOUND = Track("audio", True, Shape("mp4a.40.2", channels=2), "init.mp4", 96_000, 1_000, 0, (Span(0, 2_000),), True)
TEXTS = (
    Text("cc1", "Captions", "", True, "text/cc1/0-2000.vtt"),
    Text("pt-br", "Português & <mais>", "pt-BR", False, "text/pt-br/0-2000.vtt"),
)


def sets() -> list[ET.Element]:
    period = Period("0", 0, 2_000, 0, 0, (SOUND,), TEXTS)
    root = ET.fromstring(manifest(Presentation("A title", [period], 1_000)))
    return root.findall(f".//{{{NAMESPACE}}}AdaptationSet[@contentType='text']")


def test_5_3_3_each_track_of_text_is_a_set_of_its_own_with_a_language_and_a_number() -> None:
    found = sets()
    assert [(s.get("mimeType"), s.get("lang")) for s in found] == [("text/vtt", "und"), ("text/vtt", "pt-BR")]
    assert len({s.get("id") for s in found}) == 2


def test_5_8_5_5_roles_tell_captions_from_subtitles() -> None:
    roles = [role.get("value") for s in sets() for role in s.findall(f"{{{NAMESPACE}}}Role")]
    assert roles == ["caption", "subtitle"]


def test_5_3_7_elements_come_in_the_order_of_the_schema() -> None:
    for found in sets():
        assert [child.tag.partition("}")[2] for child in found] == ["Label", "Role", "Representation"]


def test_5_3_5_a_file_of_text_is_one_address() -> None:
    files = [base.text for s in sets() for base in s.iter(f"{{{NAMESPACE}}}BaseURL")]
    assert files == [text.uri for text in TEXTS]
    labels = [label.text for s in sets() for label in s.findall(f"{{{NAMESPACE}}}Label")]
    assert labels == [text.label for text in TEXTS]
