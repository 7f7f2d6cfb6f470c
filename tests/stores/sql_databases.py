"""Empty databases of both kinds, on real servers."""

import uuid
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
import pytest

from stores.settings import Settings, load_settings


async def empty_database(request: pytest.FixtureRequest, directory: Path) -> Settings:
    """Settings of an empty database of the kind that is the fixture's parameter."""
    if request.param == "sqlite":
        return load_settings(data_dir=directory / "new" / "data")
    server = request.getfixturevalue("postgresql_server")
    name = f"logcast_{uuid.uuid4().hex[:12]}"
    connection = await asyncpg.connect(server + "postgres")
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return load_settings(data_dir=directory, database_url=server + name)
