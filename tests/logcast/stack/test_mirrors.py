from pathlib import Path

import pytest

from logcast.stack.mirrors import maven_repositories, mirror_of_central

NAMESPACE = 'xmlns="http://maven.apache.org/SETTINGS/1.0.0"'


def settings_xml(mirror_of: str, attributes: str = "") -> str:
    return (
        f"<settings {attributes}><mirrors><mirror><id>x</id><mirrorOf>{mirror_of}</mirrorOf>"
        "<url> https://mirror.example/maven/ </url></mirror></mirrors></settings>"
    )


@pytest.mark.parametrize("mirror_of", ["central", "*", "external:*", "other, central", "*,!snapshots"])
def test_a_mirror_that_stands_for_central_is_used(mirror_of: str) -> None:
    assert mirror_of_central(settings_xml(mirror_of)) == "https://mirror.example/maven"
    assert mirror_of_central(settings_xml(mirror_of, NAMESPACE)) == "https://mirror.example/maven"


@pytest.mark.parametrize("mirror_of", ["other", "*,!central", "external:http:*", ""])
def test_other_mirrors_are_not(mirror_of: str) -> None:
    assert mirror_of_central(settings_xml(mirror_of)) is None


@pytest.mark.parametrize("text", ["", "<settings/>", "<settings", "no xml"])
def test_settings_without_mirrors_or_without_sense_name_none(text: str) -> None:
    assert mirror_of_central(text) is None


def test_repositories_of_jgo_are_asked_before_central(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "jgo.conf").write_text("[repositories]\nours = https://ours.example/maven\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
    repositories = maven_repositories(tmp_path)
    assert list(repositories) == ["ours", "central"]
    assert repositories["ours"] == "https://ours.example/maven"
