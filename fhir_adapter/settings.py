"""This site: which server or folder, which study, where the results go.

Keys equal the long flags where a command has one. A flag wins over the environment (`FHIR_ADAPTER__KEY`,
`FHIR_ADAPTER__SET__KEY`), the environment over the TOML file, the file over the default.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from fhir_adapter.credentials import SECRETS, AuthSettings
from fhir_adapter.engine import EngineName
from fhir_adapter.errors import UsageError

PREFIX = "FHIR_ADAPTER__"
# Settings that commands take as flags; the others are for the TOML file and the environment.
FLAGS = (
    *("server", "folder", "study", "set", "out", "patients", "group", "list", "page_size", "publish", "publish_to"),
    *("deqm", "adjudication"),
    *("engine", "workers", "spark_master"),
    *("cron", "jitter", "log_format"),
)


def _text(value: object) -> object:
    """Parameters may be written as TOML values; rules read them as text, like `--set KEY=VALUE`."""
    if isinstance(value, Mapping):
        return {key: _one(inner) for key, inner in value.items()}
    return value


def _one(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(_one, value)) if isinstance(value, list) else str(value)


# The id of a resource on the server, as FHIR has it; empty when there is none.
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9\-.]{0,64}$")]


# An absolute address that others begin with; empty for ours.
Address = Annotated[str, Field(pattern=r"^(https?://[^\s|,$?#]*[^\s|,$?#/])?$")]


# Where a Spark cluster is, as Spark has it; empty for what the environment says.
SparkMaster = Annotated[
    str,
    Field(
        pattern=r"^(local(\[(\*|[1-9]\d*)\])?|spark://([^\s,/:]+|\[[0-9A-Fa-f:]+\]):\d+(,[^\s,/]+:\d+)*|yarn|k8s://\S+|sc://\S+)?$"
    ),
]


class Hooks(BaseModel):
    """Commands of the site that are told how a run has ended: a program and its arguments, run without a shell."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    on_success: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    timeout_s: Annotated[float, Field(gt=0)] = 60.0


class Settings(BaseSettings):
    """Settings of one site. Exactly one of `server` and `folder` says where the records are."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )

    server: str = ""
    folder: Path | None = None
    study: str = "bsab-cart-dlbcl"
    set: Annotated[dict[str, str], BeforeValidator(_text)] = {}
    out: Path = Path("out")
    patients: Path | None = None
    adverse_events: Path | None = None
    conceptmaps: Path | None = None
    adjudication: Path | None = None
    group: Id = ""
    list: Id = ""
    by_code: tuple[str, ...] = ()
    bulk: Literal["off", "auto", "system", "group", "patient"] = "off"
    export_may_lack: tuple[str, ...] = ()
    search_by_post: bool = False
    vendor: str = "auto"
    in_full: tuple[str, ...] = ()
    trust_totals: bool = True
    publish: bool = True
    publish_to: str = ""
    deqm: bool = False
    canonical: Address = ""
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 200
    max_pages: Annotated[int, Field(ge=1)] = 100_000
    concurrency: Annotated[int, Field(ge=1, le=32)] = 4
    timeout_s: Annotated[float, Field(gt=0)] = 60.0
    deadline_s: Annotated[float, Field(gt=0)] = 600.0
    max_tries: Annotated[int, Field(ge=1, le=20)] = 6
    overlap_s: Annotated[float, Field(ge=0)] = 600.0
    horizon_s: Annotated[float, Field(ge=0)] = 150.0
    sweep_every: Annotated[int, Field(ge=1)] = 7
    max_deleted_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    max_wait_s: Annotated[float, Field(gt=0)] = 86_400.0
    unreadable_lines: Annotated[int, Field(ge=0)] = 0
    folder_people: Literal["study", "everybody"] = "study"
    every_line: bool = False
    engine: EngineName = "serial"
    workers: Annotated[int, Field(ge=0, le=1024)] = 0
    spark_master: SparkMaster = ""
    ca_file: Path | None = None
    base_url_aliases: tuple[str, ...] = ()
    download_hosts: tuple[str, ...] = ()
    auth: AuthSettings = AuthSettings()
    publish_auth: AuthSettings = AuthSettings()
    cron: str = "0 2 * * *"
    jitter: Annotated[int, Field(ge=0, le=86_400)] = 0
    log_format: Literal["text", "json"] = "text"
    metrics_file: Path | None = None
    metrics_mode: Literal["0600", "0640", "0644"] = "0600"
    hooks: Hooks = Hooks()

    @property
    def source(self) -> str:
        """The name of the source in the landing store."""
        return f"folder:{self.folder.resolve()}" if self.folder else self.server.rstrip("/")

    @property
    def destination(self) -> str:
        """The server that gets the MeasureReports; empty when they are only written to files."""
        return (self.publish_to or self.server) if self.publish else ""


class _File(TomlConfigSettingsSource):
    """The TOML file; a key may be spelled like its flag, with hyphens."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        # A byte order mark, which editors on Windows write, is no part of TOML.
        written = tomllib.loads(Path(str(file_path)).read_text(encoding="utf-8-sig"))
        content = {key.replace("-", "_"): value for key, value in written.items()}
        for section in ("auth", "publish_auth"):
            if isinstance(content.get(section), dict):
                content[section] = {key.replace("-", "_"): value for key, value in content[section].items()}
                _refuse_open_secrets(Path(str(file_path)), section, content[section])
        return content


def _refuse_open_secrets(config: Path, section: str, content: Mapping[str, object]) -> None:
    """A secret may stand in the file of the settings only if nobody else can read that."""
    secrets = [key for key in SECRETS if content.get(key)]
    if secrets and config.stat().st_mode & 0o077:
        raise UsageError(
            f"{config} holds a secret (`{section}.{secrets[0]}`) and can be read by others, so it is not used",
            f"chmod 600 {shlex.quote(str(config))}, or name a file of its own with `{secrets[0]}_file`",
        )


def read_settings(config: Path | None, flags: Mapping[str, Any], *, need_source: bool = True) -> Settings:
    """Settings from flags, environment, file and defaults; `UsageError` names the key that is wrong."""

    class Sourced(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            stronger = (init_settings, env_settings)
            return (*stronger, _File(settings_cls, config)) if config else stronger

    if config and not config.is_file():
        raise UsageError(f"the configuration file {config} cannot be read", "check the path given with --config")
    _refuse_unknown_variables()
    given = {key: value for key, value in flags.items() if value is not None and value not in ((), {})}
    # A way in that is given by a flag replaces the other one given in a weaker place.
    if "server" in given or "folder" in given:
        given = {"server": "", "folder": None, **given}
    try:
        settings = Sourced(**given)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise UsageError(f"{config} is not valid TOML: {problem}", "correct the line it names") from None
    except (ValidationError, SettingsError) as problem:
        raise _explained(problem, config) from None
    _check_population(settings)
    if need_source and bool(settings.server) == bool(settings.folder):
        both = "both a server and a folder are" if settings.server else "neither a server nor a folder is"
        raise UsageError(f"{both} given", "name one: --server URL or --folder PATH (or the same key in the TOML file)")
    return settings


def _check_population(settings: Settings) -> None:
    """At most one way of saying who is asked for."""
    ways = [key for key in ("patients", "group", "list") if getattr(settings, key)]
    if settings.folder and ways:
        raise UsageError("a list of patients is for servers; a folder is read as a whole", f"leave out --{ways[0]}")
    if len(ways) > 1:
        raise UsageError(f"both `{ways[0]}` and `{ways[1]}` say which patients are asked for", "keep one of them")


def _explained(problem: ValidationError | SettingsError, config: Path | None) -> UsageError:
    if isinstance(problem, SettingsError):
        return UsageError("a setting in the environment cannot be read", f"see the variables that begin with {PREFIX}")
    first = problem.errors(include_url=False, include_input=False)[0]
    key = ".".join(map(str, first["loc"]))
    if first["type"] == "extra_forbidden":
        known = _keys(first["loc"][:-1])
        close = get_close_matches(key, known, n=1)
        hint = f"did you mean `{close[0]}`?" if close else "keys: " + ", ".join(known)
        return UsageError(f"{config or 'the environment'}: `{key}` is not a setting", hint)
    return UsageError(f"the setting `{key}` cannot be used: {first['msg']}", _where(key, config))


def _keys(section: tuple[int | str, ...]) -> list[str]:
    """The keys of a section of the file, or of the file itself."""
    model: type[BaseModel] = Settings
    for name in section:
        inner = model.model_fields[str(name)].annotation
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            break
        model = inner
    return [".".join(map(str, (*section, key))) for key in model.model_fields]


def _where(key: str, config: Path | None) -> str:
    flag = f"--{key.replace('_', '-')}, " if key in FLAGS else ""
    return f"it is set by {flag}{PREFIX}{key.upper().replace('.', '__')} or `{key}` in {config or 'the TOML file'}"


def _refuse_unknown_variables() -> None:
    """A misspelt variable would be ignored in silence."""
    known = {PREFIX + key.upper() for key in Settings.model_fields}
    for name in os.environ:
        if name.upper().startswith(PREFIX) and PREFIX + name.upper()[len(PREFIX) :].split("__")[0] not in known:
            close = get_close_matches(name.upper(), known, n=1)
            hint = f"did you mean {close[0]}?" if close else "variables: " + ", ".join(sorted(known))
            raise UsageError(f"the environment variable {name} is not a setting", hint)
