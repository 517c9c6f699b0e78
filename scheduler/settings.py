"""Settings: read once from the environment and `.env` when a process starts, checked, and passed down."""

import json
import os
import re
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from scheduler.domain.errors import ConfigurationError

SHORTEST_SECRET_BYTES: Final = 32
"""Of a signing secret: as much as its hash has."""
SHORTEST_TOKEN: Final = 16
"""Of what Prometheus shows: more than can be guessed."""
QUEUE_NAME_PATTERN = r"^[a-z0-9_-]{1,64}$"

_PUBLISHED: Final = "servers.json"

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
"""`a, b` in the environment."""


class Settings(BaseSettings):
    """Every setting, under its environment name in lower case; seconds and bytes are plain numbers."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", frozen=True)

    database_url: SecretStr = SecretStr("")
    redis_url: SecretStr = SecretStr("")

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=3000, ge=1, le=65535)
    jwt_secret: SecretStr = SecretStr("")
    allow_registration: bool = False
    admin_email: str = ""
    admin_password: SecretStr = SecretStr("")
    rate_limit: str = ""
    trusted_proxies: CommaSeparated = ()
    cors_origins: CommaSeparated = ()
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1024 * 1024 * 1024)

    picker_poll_seconds: float = Field(default=2.0, gt=0, le=60)
    picker_batch_size: int = Field(default=500, ge=1, le=10_000)
    priority_ageing_seconds: float = Field(default=60.0, gt=0)

    executor_concurrency: int = Field(default=100, ge=1, le=10_000)
    executor_threads: int | None = Field(default=None, ge=1, le=10_000)
    executor_processes: int | None = Field(default=None, ge=1, le=10_000)
    executor_queues: CommaSeparated = ()
    lease_seconds: float = Field(default=30.0, ge=1, le=3600)
    shutdown_grace_seconds: float = Field(default=25.0, ge=0, le=3600)

    retention_days: float = Field(default=0.0, ge=0, le=36_500)
    """Days that a job is kept after it ended; 0 for ever."""

    workspace_roots: Annotated[tuple[Path, ...], NoDecode] = ()
    api_task_allow: CommaSeparated = ()
    api_task_signing_secret: SecretStr = SecretStr("")
    smtp_host: str = "127.0.0.1"
    smtp_port: int = Field(default=25, ge=1, le=65535)
    smtp_username: str = ""
    smtp_password: SecretStr = SecretStr("")
    smtp_tls: Literal["none", "starttls", "tls"] = "none"
    smtp_from: str = "scheduler@localhost"
    datasources: Annotated[dict[str, SecretStr], NoDecode] = Field(default_factory=dict[str, SecretStr])
    task_modules: CommaSeparated = Field(
        default=(), validation_alias=AliasChoices("scheduler_task_modules", "task_modules")
    )

    alert_webhook_url: SecretStr = SecretStr("")
    alert_email_to: CommaSeparated = ()
    alert_failure_rate: float = Field(default=0.5, ge=0, le=1)
    alert_oldest_due_seconds: float = Field(default=300.0, ge=0)
    alert_schedule_late_seconds: float = Field(default=300.0, ge=0)

    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(default=9464, ge=0, le=65535)
    metrics_token: SecretStr = SecretStr("")
    otel_exporter_otlp_endpoint: str = ""
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    data_dir: Path = Field(default=Path(".scheduler"), validation_alias=AliasChoices("scheduler_data_dir", "data_dir"))

    @field_validator(
        "executor_queues",
        "alert_email_to",
        "api_task_allow",
        "task_modules",
        "workspace_roots",
        "trusted_proxies",
        "cors_origins",
        mode="before",
    )
    @classmethod
    def _split_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("datasources", mode="before")
    @classmethod
    def _read_json(cls, value: object) -> object:
        try:
            return json.loads(value or "{}") if isinstance(value, str) else value
        except ValueError:
            raise ValueError("is not a JSON object of names and PostgreSQL URLs") from None

    @field_validator("datasources")
    @classmethod
    def _sources_are_complete(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, url in value.items():
            if not _is_complete(url.get_secret_value()):
                raise ValueError(f"{name!r} is not a URL like postgresql://user:password@host:5432/database")
        return value

    @field_validator("executor_queues")
    @classmethod
    def _queues_are_named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not re.match(QUEUE_NAME_PATTERN, name):
                raise ValueError(f"{name!r} is not a queue name (lower-case letters, digits, - and _, 64 at most)")
        return value

    @field_validator("workspace_roots")
    @classmethod
    def _roots_are_absolute(cls, value: tuple[Path, ...]) -> tuple[Path, ...]:
        for root in value:
            if not root.is_absolute():
                raise ValueError(f"{str(root)!r} is not an absolute path")
        return value

    @field_validator("jwt_secret")
    @classmethod
    def _secrets_are_long(cls, value: SecretStr) -> SecretStr:
        if any(len(each.encode()) < SHORTEST_SECRET_BYTES for each in _parts(value)):
            raise ValueError(f"each secret has to be {SHORTEST_SECRET_BYTES} bytes or longer: `openssl rand -hex 32`")
        return value

    @field_validator("metrics_token")
    @classmethod
    def _token_is_long(cls, value: SecretStr) -> SecretStr:
        if 0 < len(value.get_secret_value()) < SHORTEST_TOKEN:
            raise ValueError(f"has to be {SHORTEST_TOKEN} characters or longer: `openssl rand -hex 32`")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network)  # its ValueError says what is wrong
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_exact(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for origin in value:
            if not re.fullmatch(r"https?://[^/*\s]+", origin):
                raise ValueError(f"{origin!r} is not an origin, as https://console.example.com is")
        return value

    @field_validator("alert_webhook_url")
    @classmethod
    def _webhook_is_a_url(cls, value: SecretStr) -> SecretStr:
        if value.get_secret_value() and not re.match(r"https?://[^/\s]", value.get_secret_value()):
            raise ValueError("is not a URL like https://chat.example.com/hooks/1")
        return value

    @field_validator("log_level", "smtp_tls", "log_format", mode="before")
    @classmethod
    def _case_does_not_matter(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @property
    def jwt_secrets(self) -> tuple[str, ...]:
        """Those that access tokens are believed under; the first signs."""
        return _parts(self.jwt_secret)

    @property
    def workspaces(self) -> tuple[Path, ...]:
        """The folders that file tasks may touch: `WORKSPACE_ROOTS`, else `workspace/` in the data folder."""
        return self.workspace_roots or (self.data_dir.absolute() / "workspace",)


def load_settings() -> Settings:
    """Read the settings; raises ConfigurationError naming each wrong one, never showing a value."""
    try:
        return Settings()
    except ValidationError as invalid:
        faults = "; ".join(f"{_environment_name(str(e['loc'][0]))}: {e['msg']}" for e in invalid.errors())
        raise ConfigurationError(f"Wrong settings: {faults}. Correct them in the environment or in .env.") from None


def find_settings() -> Settings:
    """The same; where they name no server, the one that a `scheduler up` with the same data folder runs."""
    settings = load_settings()
    published = _read_published(settings.data_dir / _PUBLISHED)
    missing = {
        name: SecretStr(url) for name, url in published.items() if not getattr(settings, name).get_secret_value()
    }
    return settings.model_copy(update=missing)


def jwt_secret_file(settings: Settings) -> Path:
    """Where `scheduler up` keeps the signing secret that it made up."""
    return settings.data_dir / "jwt_secret"


def api_key_file(settings: Settings) -> Path:
    """Where `scheduler up` keeps an API key for the commands of its user."""
    return settings.data_dir / "api_key"


def publish_servers(settings: Settings, *, database_url: str, redis_url: str) -> Path:
    """Let other commands of this user find the servers; returns the file, which is to be removed with them."""
    servers = {"database_url": database_url, "redis_url": redis_url}
    return keep_secret(settings.data_dir / _PUBLISHED, json.dumps(servers))


def keep_secret(file: Path, text: str) -> Path:
    """Write a small file that only this user can read, in place of what is there: whole, or not at all."""
    part = file.with_name(f"{file.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    return part.replace(file)


def read_secret(file: Path) -> str:
    """What keep_secret wrote there; nothing when there is no such file, or it is another user's."""
    try:
        return file.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def _read_published(file: Path) -> dict[str, str]:
    try:
        return {str(name): str(url) for name, url in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError):
        return {}


def _is_complete(url: str) -> bool:
    """Whether a PostgreSQL URL leaves nothing to libpq's own environment, which may hold our credentials."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("postgresql", "postgres") and all((parts.username, parts.hostname, parts.path.strip("/")))


def _parts(secrets: SecretStr) -> tuple[str, ...]:
    return tuple(part.strip() for part in secrets.get_secret_value().split(",") if part.strip())


def _environment_name(field: str) -> str:
    name = field.upper()
    return f"SCHEDULER_{name}" if name in {"TASK_MODULES", "DATA_DIR"} else name
