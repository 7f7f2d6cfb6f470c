import asyncio
import subprocess
from pathlib import Path
from zipfile import ZipFile

from logcast.stack.class_archive import ClassArchive, class_archive
from logcast.stack.java import Java, find_java


def test_the_first_start_writes_down_its_classes_and_later_ones_map_the_archive(tmp_path: Path) -> None:
    archive = ClassArchive(tmp_path / "kafka.jsa", tmp_path / "classes.txt")
    assert archive.flags() == [f"-XX:DumpLoadedClassList={tmp_path / 'classes.txt'}"]
    archive.archive.touch()
    assert archive.flags()[0] == f"-XX:SharedArchiveFile={tmp_path / 'kafka.jsa'}"


def test_an_archive_with_which_a_start_failed_is_thrown_away(tmp_path: Path) -> None:
    archive = ClassArchive(tmp_path / "kafka.jsa", tmp_path / "classes.txt")
    archive.archive.touch()
    archive.flags()
    archive.proved()
    assert "SharedArchiveFile" in archive.flags()[0]
    # This time it does not come to its end.
    assert "DumpLoadedClassList" in archive.flags()[0]
    assert not archive.archive.exists()


def test_another_java_or_another_jar_has_another_archive(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("java", "java2", "a.jar", "b.jar")]
    for file in files:
        file.write_bytes(b"x")
    java, java2, a, b = files

    def name(binary: Path, *jars: Path) -> str:
        return class_archive(tmp_path, "kafka", Java(binary, "x"), jars, tmp_path / "list").archive.name

    assert name(java, a) == name(java, a)
    names = {name(java, a), name(java2, a), name(java, b), name(java, a, b)}
    b.write_bytes(b"longer")
    assert len(names | {name(java, b)}) == 5


def test_a_real_archive_is_built_and_java_maps_it(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    java = find_java()
    argv = [str(java.binary), "-Xmx64m", "-cp", str(tmp_path / "a.jar")]
    archive = class_archive(tmp_path, "tool", java, [tmp_path / "a.jar"], tmp_path / "classes.txt")
    assert not asyncio.run(archive.build(argv)), "there is no list of classes yet"
    subprocess.run([argv[0], *archive.flags(), *argv[1:], "-version"], check=True, capture_output=True)
    assert (tmp_path / "classes.txt").stat().st_size > 1000
    assert asyncio.run(archive.build(argv))
    assert not (tmp_path / "classes.txt").exists()
    # `on` instead of `auto`: without a fitting archive Java refuses.
    subprocess.run([argv[0], *archive.flags(), "-Xshare:on", *argv[1:], "-version"], check=True, capture_output=True)
