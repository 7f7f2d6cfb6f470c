"""The read side of the Schema Registry API, as its clients use it."""

import pytest

from schemas.registry import all_schemas
from tests.gateway.conftest import Gateway


async def test_the_schema_of_every_id_is_given(gateway: Gateway) -> None:
    for schema in all_schemas().values():
        answer = await gateway.get(f"/registry/schemas/ids/{schema.id}")
        assert answer.json() == {"schema": schema.text}
        assert answer.headers["content-type"] == "application/vnd.schemaregistry.v1+json"


async def test_subjects_and_their_versions_are_listed(gateway: Gateway) -> None:
    subjects = (await gateway.get("/registry/subjects")).json()
    assert set(subjects) == {schema.subject for schema in all_schemas().values()}
    for subject in subjects:
        versions = (await gateway.get(f"/registry/subjects/{subject}/versions")).json()
        newest = (await gateway.get(f"/registry/subjects/{subject}/versions/latest")).json()
        assert newest["version"] == max(versions)
        for version in versions:
            found = (await gateway.get(f"/registry/subjects/{subject}/versions/{version}")).json()
            assert all_schemas()[found["id"]].text == found["schema"]
            assert (found["subject"], found["version"]) == (subject, version)


SUBJECT = next(iter(all_schemas().values())).subject


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/registry/schemas/ids/999999", 404, 40403),
        ("/registry/schemas/ids/x", 404, 40403),
        ("/registry/schemas/ids/" + "9" * 5000, 404, 40403),
        ("/registry/subjects/none/versions", 404, 40401),
        ("/registry/subjects/none/versions/1", 404, 40401),
        (f"/registry/subjects/{SUBJECT}/versions/99", 404, 40402),
        (f"/registry/subjects/{SUBJECT}/versions/x", 422, 42202),
    ],
)
async def test_errors_have_the_registry_s_codes(gateway: Gateway, path: str, status: int, code: int) -> None:
    answer = await gateway.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
