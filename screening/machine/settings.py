"""Machine settings: where the database is and where this machine may write.

They come from environment variables (``SCREEN_*``) only; the science is in the campaign's YAML.
``~`` and ``$NAME`` in paths are expanded as by a shell, as not every program that sets them does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from screening.machine.secret_files import read_secret
from screening.machine.text_files import user_path
from screening.messages.errors import ScreenError

DATABASE_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")


class Settings(BaseSettings):
    """Settings of this machine.

    Parameters
    ----------
    mongodb_uri
        ``SCREEN_MONGODB_URI``; unset starts an embedded server below `directory`.
    mongodb_uri_file
        ``SCREEN_MONGODB_URI_FILE``: file that holds the address instead, which only the user can
        read; `mongodb_uri` is then its content.
    database
        ``SCREEN_DATABASE``: name of the database.
    directory
        ``SCREEN_DIRECTORY``: embedded database, logs, run folders and downloads.
    workers
        ``SCREEN_WORKERS``: worker processes of `matscreen work`; unset takes one a usable core, at
        most as many as a batch has candidates.
    engine_errors
        ``SCREEN_ENGINE_ERRORS``: folder with further tables of engines' errors, beside the shipped.
    serve_token
        ``SCREEN_SERVE_TOKEN``: token that `matscreen serve` asks readers for.
    serve_token_file
        ``SCREEN_SERVE_TOKEN_FILE``: file that holds it instead, which only the user can read.
    """

    model_config = SettingsConfigDict(env_prefix="SCREEN_", extra="ignore")

    mongodb_uri: SecretStr | None = None
    mongodb_uri_file: Path | None = None
    database: str = "screen"
    directory: Path = Path(".screen")
    workers: int | None = Field(None, gt=0)
    engine_errors: Path | None = None
    serve_token: SecretStr | None = None
    serve_token_file: Path | None = None

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{self.model_config['env_prefix']}{first['loc'][0]}".upper()
            message = first["msg"].removeprefix("Value error, ").replace("Input should", "it must")
            # The value is not repeated: the address may hold a password.
            raise ScreenError(f"environment variable {name}: {message}") from None
        if self.mongodb_uri_file is not None:
            if self.mongodb_uri is not None:
                raise ScreenError(
                    "SCREEN_MONGODB_URI and SCREEN_MONGODB_URI_FILE are both set; unset one"
                )
            address = read_secret(self.mongodb_uri_file, "SCREEN_MONGODB_URI_FILE")
            self.mongodb_uri = SecretStr(address)

    @field_validator(
        "mongodb_uri_file", "directory", "engine_errors", "serve_token_file", mode="before"
    )
    @classmethod
    def _is_a_path(cls, value: Any, info: ValidationInfo) -> Any:
        if value is None:
            return None
        if not str(value).strip():
            raise ValueError("is empty; give a path, or unset it")
        name = f"{cls.model_config['env_prefix']}{info.field_name}".upper()
        return user_path(value, f"environment variable {name}")

    @field_validator("database")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if DATABASE_NAME.fullmatch(value) is None:
            raise ValueError(
                "use letters, digits, '_' and '-', at least one and at most 60, as 'screen'"
            )
        return value

    @property
    def address_variable(self) -> str:
        """The environment variable that the address of the database comes from."""
        name = "mongodb_uri" if self.mongodb_uri_file is None else "mongodb_uri_file"
        return f"{self.model_config['env_prefix']}{name}".upper()
