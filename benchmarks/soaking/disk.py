"""What a data directory takes on the disk, by part; and the rows of its SQL database."""

import os
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final

MB: Final = 1024 * 1024
PARTS: Final = {"segments": "hot", "recordings": "cold", "spool": "spool", "logs": "logs"}


def of_data_dir(data_dir: Path) -> dict[str, float]:
    """Megabytes of each part as the disk has them (holes do not count), and numbers of files; by name of the series."""
    size: Counter[str] = Counter()
    files: Counter[str] = Counter()
    directories: Counter[str] = Counter()
    for place, _, names in os.walk(data_dir):
        part = _part(Path(place).relative_to(data_dir).parts)
        directories[part.split(".")[0]] += 1
        for name in names:
            try:
                size[part if part != "rest" else _of_file(name)] += (Path(place) / name).lstat().st_blocks * 512
            except OSError:  # removed meanwhile
                continue
            files[part.split(".")[0]] += 1
    found = {f"disk.{part}_mb": count / MB for part, count in size.items()}
    found["disk.kafka_mb"] = sum(count for part, count in size.items() if part.startswith("kafka")) / MB
    found |= {f"disk.directories.{part}": float(count) for part, count in directories.items()}
    return found | {f"disk.files.{part}": float(count) for part, count in files.items()}


def _part(parts: tuple[str, ...]) -> str:
    """`kafka.TOPIC` without the partition's number, `cassandra.KIND`, or what `PARTS` calls it."""
    match parts:
        case ("kafka", "log", partition, *_):
            return f"kafka.{partition.rpartition('-')[0] or partition}"
        case ("kafka", *_):
            return "kafka.rest"
        case ("cassandra", kind, *_):
            return f"cassandra.{kind}"
        case (first, *_):
            return PARTS.get(first, "rest")
    return "rest"


def _of_file(name: str) -> str:
    return "database" if name.startswith("accounts.sqlite3") else "rest"


def sql_rows(database: Path) -> dict[str, float]:
    """Rows of each table of the accounts, by name of the series."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5)) as sql:
        tables = [row[0] for row in sql.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {
            f"sql.rows.{table}": float(sql.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0]) for table in tables
        }
