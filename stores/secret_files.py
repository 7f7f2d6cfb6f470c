"""Secrets from files, as container engines hand them out: `LOGCAST_ADMIN_TOKEN_FILE` names what has `admin_token`.

Only settings that are secrets have this. A variable with the secret itself wins over the one that names a file.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

PREFIX: Final = "LOGCAST_"
SUFFIX: Final = "_FILE"
MAX_SECRET_BYTES: Final = 64 * 1024


class UnreadableSecretError(ValueError):
    """The file that a `LOGCAST_…_FILE` names holds no secret; the message says which variable and why."""


class SecretFiles(PydanticBaseSettingsSource):
    """A source of settings: the contents of the files that the environment names."""

    def __init__(self, settings_cls: type[BaseSettings], environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(settings_cls)
        self._environ = environ

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The secret of one field; None when no file is named."""
        variable = f"{PREFIX}{field_name.upper()}{SUFFIX}"
        path = self._environ.get(variable) if field.annotation is SecretStr else None
        return (secret_in(Path(path), variable) if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Every secret that a file has."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


def secret_in(path: Path, variable: str) -> str:
    """The secret in a file, without the line's end.

    Raises:
        UnreadableSecretError: it cannot be read, or is empty.
    """
    try:
        with path.open("rb") as file:
            secret = file.read(MAX_SECRET_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableSecretError(f"wrong setting: {variable}: cannot read {path} ({error})") from error
    if not secret:
        raise UnreadableSecretError(f"wrong setting: {variable}: {path} is empty, expected a secret")
    return secret


def with_password(url: str, password: str) -> str:
    """A URL with the password where it has none; its user stays as it is."""
    parts = urlsplit(url)
    user, separator, found = parts.netloc.rpartition("@")[0].partition(":")
    if not password or (separator and found):
        return url
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))
