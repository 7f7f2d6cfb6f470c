"""The one configuration of every process: environment and TOML, typed, frozen, refused with a sentence when wrong.

Order of precedence, strongest first: command-line options (passed as keyword arguments), environment variables
`LOGCAST_…`, files of secrets (`LOGCAST_…_FILE`), the file named by `LOGCAST_CONFIG` or `logcast.toml` in the working directory, the defaults here.
"""

import os
import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from stores.secret_files import SecretFiles, UnreadableSecretError, with_password

Port = Annotated[int, Field(ge=1, le=65_535)]
Positive = Annotated[int, Field(gt=0)]


class SettingsError(ValueError):
    """A setting is wrong; the message names the setting, what was found and what is allowed."""


class Settings(BaseSettings):
    """Every setting of Logcast. A field `x` is `LOGCAST_X` in the environment and `x` in `logcast.toml`."""

    model_config = SettingsConfigDict(env_prefix="LOGCAST_", frozen=True, extra="forbid", validate_default=True)

    # Where things are
    data_dir: Path = Field(Path("data"), description="Everything the local stack keeps: logs, stores, keys.")
    kafka_bootstrap: str = Field("127.0.0.1:9092", description="Kafka bootstrap servers, comma separated.")
    cassandra_hosts: str = Field("127.0.0.1", description="Cassandra contact points, comma separated.")
    cassandra_port: Port = 9042
    cassandra_storage_port: Port = Field(
        7000, description="Of the local stack's Cassandra, for other nodes: it has none."
    )
    cassandra_keyspace: str = Field("logcast", pattern=r"^[a-z][a-z0-9_]{0,47}$")
    database_url: str = Field("", description="SQLAlchemy URL of the accounts; empty: SQLite in the data directory.")
    segment_dir: Path | None = Field(None, description="Hot segment store; empty: `segments` in the data directory.")
    segment_url: SecretStr = Field(
        SecretStr(""),
        description="Hot segment store on Redis, `redis://HOST:6379/0`, for several machines; empty: `segment_dir`.",
    )
    public_host: str = Field("127.0.0.1", description="The host name that is shown in addresses.")
    bind_host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 for every interface.")
    http_port: Port = 8080
    rtmp_port: Port = 1935
    health_port_ingest: Port = 8081
    health_port_worker: Port = 8082
    health_port_consumers: Port = 8083
    health_port_standby: Port = 8084

    # The log
    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(8, description="Partitions of every keyed topic.")
    replication: Annotated[int, Field(ge=1, le=7)] = 1
    topic_prefix: str = Field("", pattern=r"^[a-z0-9._-]{0,40}$", description="Before every topic name; for tests.")
    source_retention_hours: Positive = Field(6, description="How long source chunks stay in the log.")
    source_retention_mb: Positive = Field(8192, description="At most so much of the source on disk, all partitions.")

    # Ingest
    part_target_ms: Annotated[int, Field(ge=100, le=500)] = Field(
        200, description="No part lasts longer; none but a segment's last is shorter than 85 % of it."
    )
    segment_min_ms: Annotated[int, Field(ge=500, le=10_000)] = 1_000
    segment_max_ms: Annotated[int, Field(ge=2_000, le=10_000)] = 10_000
    grace_s: Annotated[int, Field(ge=0, le=3_600)] = Field(60, description="A publisher may return within this time.")
    max_publishers: Positive = 100
    max_publisher_mbps: Positive = Field(50, description="A publisher that sends more is held back.")
    ingest_buffer_mb: Positive = Field(64, description="What one publisher may have in flight while Kafka is away.")

    backup_after_ms: Annotated[int, Field(ge=200, le=60_000)] = Field(
        1_500, description="A publisher that sends nothing for so long gives way to its backup (`?backup=1`)."
    )

    # The ingest's spool (docs/publishing.md)
    push_port: Port | None = Field(
        None, description="Where the ingest takes lossless pushes from gateways; empty: the port after `rtmp_port`."
    )
    ingest_url: str = Field(
        "",
        pattern=r"^(wss?://[^/\s,]+(,wss?://[^/\s,]+)*)?$",
        description="Where gateways find the ingests for lossless pushes, `ws://HOST:PORT,…`, a channel always the same; "
        "empty: on this machine.",
    )
    push_grace_s: Annotated[int, Field(ge=0, le=86_400)] = Field(
        3_600, description="The video of a lossless push that was cut stays open so long."
    )
    spool_dir: Path | None = Field(None, description="Of the ingest; empty: `spool` in the data directory.")
    spool_max_mb: Annotated[int, Field(ge=64)] = Field(
        4_096, description="What the ingest keeps on disk while Kafka is away; then publishers are held back."
    )
    spool_reserve_mb: Annotated[int, Field(ge=0)] = Field(
        256, description="The spool takes nothing while its disk has less than this left."
    )
    spool_sync_ms: Annotated[int, Field(ge=0, le=60_000)] = Field(
        1_000, description="So often the disk is told to keep the spool over a loss of power; 0: when the system likes."
    )
    spool_patience_s: Annotated[int, Field(ge=1, le=600)] = Field(
        10, description="A publisher that a full spool has held back so long is told so, and ended."
    )

    # An external classifier of comments
    classifier_url: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="POSTed each comment before it is submitted; empty: none."
    )
    classifier_token: SecretStr = Field(SecretStr(""), description="Bearer token for the classifier.")
    classifier_timeout_ms: Annotated[int, Field(ge=10, le=5_000)] = Field(
        400, description="A classifier that takes longer has failed."
    )
    classifier_fails: Literal["open", "closed"] = Field(
        "open", description="When the classifier fails: open, comments pass; closed, they wait for a moderator."
    )

    # Worker
    ladder: str = Field("720:2800,480:1200,360:700,240:350", description="height:kbit/s, largest first.")
    encoder_preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast"] = "superfast"
    worker_threads: Annotated[int, Field(ge=1, le=256)] = Field(default_factory=lambda: os.cpu_count() or 1)
    shed_lag_ms: Annotated[int, Field(ge=500, le=6_000)] = Field(
        2_000, description="Transcoding further behind leaves the largest renditions out for now."
    )
    late_gop_s: Annotated[int, Field(ge=5)] = Field(
        12, description="A GOP that a worker reads later is made for the recording alone: playlists gave it up."
    )
    worker_agents: str = Field(
        "transcode,comments,reactions,viewers,cues,jobs,transform", description="Which agents a worker runs."
    )
    worker_group: str = Field(
        "logcast", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Kafka group id (Faust app id)."
    )
    worker_standby: bool = Field(
        default=False, description="This worker transcodes what others do too, in a group of its own (hot standby)."
    )
    worker_slot: str = Field("0", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="Static member id within the group.")
    drain_s: Annotated[int, Field(ge=0, le=300)] = Field(
        10, description="A worker that is told to stop may take so long to finish the GOPs that it has open."
    )
    slow_mode_ms: Annotated[int, Field(ge=0, le=3_600_000)] = Field(500, description="Least time between two comments.")
    blocked_words: str = Field("", description="Comma separated; a comment that has one is rejected.")

    # Gateway
    viewers_request_renditions: bool = Field(
        True, description="Anybody may ask for a rendition that a kept video does not have; else only its owner."
    )
    window_s: Annotated[int, Field(ge=60, le=86_400)] = Field(600, description="Length of a live playlist.")
    hot_retention_s: Annotated[int, Field(ge=120, le=604_800)] = Field(3_600, description="Parts stay hot so long.")
    gateway_memory_mb: Positive = Field(256, description="Bound of the part cache and of folded state.")
    dvr_max_s: Annotated[int, Field(ge=60, le=604_800)] = Field(
        14_400, description="Viewers may go back so far in a running broadcast (`?dvr=SECONDS`)."
    )
    max_feed_connections: Positive = 20_000
    worker_restart_backoff_max_s: Positive = 30

    # Pictures
    picture_threads: Annotated[int, Field(ge=1, le=64)] = Field(2, description="Stills are decoded in so many threads.")
    picture_queue: Annotated[int, Field(ge=1, le=10_000)] = Field(64, description="More than so many at once get 503.")

    # Recordings (the cold store)
    recordings_url: str = Field(
        "",
        description="Where kept videos are: file:///DIR, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX; "
        "empty: `recordings` in the data directory.",
    )
    recordings_endpoint: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="Of an S3 server that is not Amazon's, or of an Azure emulator."
    )
    recordings_region: str = Field("", description="S3 region; empty: AWS_REGION, else us-east-1.")
    recordings_access_key: str = Field(
        "", description="S3 access key id or Azure account name; empty: the usual AWS_…, AZURE_…, GOOGLE_… variables."
    )
    recordings_secret_key: SecretStr = Field(SecretStr(""), description="S3 secret key or Azure account key.")
    recordings_path_style: bool = Field(True, description="S3 addresses as HOST/BUCKET; false: BUCKET.HOST.")

    recordings_reserve_mb: Annotated[int, Field(ge=0)] = Field(
        2_048, description="Recording waits while the disk of a recordings directory has less than this left."
    )
    keep_days_default: Annotated[int, Field(ge=-1, le=36_500)] = Field(
        7, description="Days that recordings of channels are kept which chose nothing; 0: none is made, -1: for ever."
    )
    forget_after_s: Annotated[int, Field(ge=60, le=31_536_000)] = Field(
        3_600, description="So long after a video was removed everything that is kept only for it goes."
    )
    archive_at_once: Annotated[int, Field(ge=1, le=64)] = Field(
        4, description="Segments that one archiver copies at once; each is in memory meanwhile."
    )

    # Secrets (made by `logcast up` in the data directory when absent)
    admin_token: SecretStr = Field(SecretStr(""), description="Bearer token of the operator.")
    guest_secret: SecretStr = Field(SecretStr(""), description="Signs guest tokens; the same on every gateway.")

    # Signed links (docs/edge.md)
    link_keys_file: Path | None = Field(
        None, description="Keys that sign links, `ID SECRET` a line; empty: `keys/links.keys` in the data directory."
    )

    # Accounts, see docs/accounts.md
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+)?$",
        description="How browsers reach the gateway or edge, `https://live.example`; empty: by the Host they ask for.",
    )
    trusted_proxies: str = Field(
        "127.0.0.0/8,::1", description="Networks whose X-Forwarded-For is believed, comma separated; `none`: nobody's."
    )
    registration: Literal["open", "closed"] = Field(
        "open", description="Whether people make accounts themselves; `logcast user create` always does."
    )
    channels_per_user: Annotated[int, Field(ge=0, le=1_000)] = Field(
        3, description="Channels that a user may make; 0: only the operator makes channels."
    )
    access_token_s: Annotated[int, Field(ge=30, le=3_600)] = Field(
        600, description="An access token works so long, also after its session was revoked."
    )
    session_days: Annotated[int, Field(ge=1, le=365)] = Field(30, description="A session ends when unused so long.")
    reset_token_s: Annotated[int, Field(ge=60, le=86_400)] = Field(3_600, description="A password reset works so long.")
    argon2_memory_kib: Annotated[int, Field(ge=8, le=1_048_576)] = Field(
        19_456, description="Memory to hash one password; two are hashed at once."
    )
    argon2_time_cost: Annotated[int, Field(ge=1, le=100)] = Field(2, description="Passes over that memory.")
    attempts_per_minute: Annotated[int, Field(ge=1, le=10_000)] = Field(
        10,
        description="Log-ins, registrations and resets of one address, in bursts of twice as many; half of it for one account.",
    )
    smtp_url: SecretStr = Field(
        SecretStr(""),
        description="Mail server for password resets and to verify addresses: `smtp://USER:PASSWORD@HOST:587` (STARTTLS where offered) or "
        "`smtps://…:465`; empty: only `logcast user reset-password` gives resets out.",
    )
    mail_from: str = Field("", description="Sender of mail; empty: logcast@public_host.")
    oidc_issuer: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="OpenID Connect provider to log in with; empty: none."
    )
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_name: str = Field("single sign-on", max_length=40, description="What the page calls the provider.")
    verify_token_s: Annotated[int, Field(ge=600, le=2_592_000)] = Field(
        172_800, description="The link that verifies an address for mail works so long."
    )
    unverified_may_comment: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether accounts without a verified address may comment where guests may not; auto: only without a mail server.",
    )

    # The feed (docs/feed.md)
    max_feed_connections_per_address: Annotated[int, Field(ge=0)] = Field(
        1_000, description="Feed connections of one address (of IPv6: one network of 64 bits); 0: no limit."
    )
    feed_origins: str = Field(
        "", description="Pages of these origins may join the feed besides our own, `https://a.example,…`; `*`: any."
    )

    # Engagement: two-stage counting of hot videos
    hot_reactions_per_s: Annotated[int, Field(ge=0)] = Field(
        100_000, description="From so many on, a video's reactions are counted on several partitions; 0: never."
    )
    count_players: bool = Field(
        True, description="Who asks this gateway for playlists counts as a viewer, also without the feed."
    )
    hot_partitions: Annotated[int, Field(ge=1, le=64)] = Field(4, description="On so many.")

    # Security and clusters, see docs/clusters.md
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="How to speak with the brokers."
    )
    kafka_sasl_mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256"] = Field(
        "SCRAM-SHA-512", description="How a password is proved."
    )
    kafka_user: str = Field("", description="SCRAM user; each role has its own, with rights of its own.")
    kafka_password: SecretStr = Field(SecretStr(""), description="Of that user.")
    kafka_ca_file: Path | None = Field(None, description="PEM file of who signed the brokers; empty: the system's.")
    kafka_cert_file: Path | None = Field(None, description="PEM certificate of this client, where brokers ask for one.")
    kafka_key_file: Path | None = Field(None, description="PEM key of that certificate.")
    cassandra_user: str = Field("", description="User of Cassandra; empty: nodes that ask for none.")
    cassandra_password: SecretStr = Field(SecretStr(""), description="Of that user.")
    cassandra_tls: bool = Field(False, description="Speak TLS with Cassandra's nodes, and check their names.")
    cassandra_ca_file: Path | None = Field(None, description="PEM file of who signed the nodes; empty: the system's.")
    cassandra_tls_name: str = Field(
        "", description="A name that the certificates of all nodes have; empty: each has its own address."
    )
    cassandra_local_dc: str = Field(
        "", description="The data centre to ask first; empty: that of the first contact point which answers."
    )
    cassandra_replication: Annotated[int, Field(ge=1, le=7)] | None = Field(
        None, description="Copies of each row in a data centre when the keyspace is made; empty: `replication`."
    )
    cassandra_consistency: Literal["", "LOCAL_ONE", "LOCAL_QUORUM", "QUORUM", "EACH_QUORUM"] = Field(
        "",
        description="How many copies answer before a read or write is done; empty: LOCAL_QUORUM, of one copy LOCAL_ONE.",
    )
    segment_password: SecretStr = Field(
        SecretStr(""), description="Of Redis, where `segment_url` has none, so that it can come from a file."
    )
    segment_ca_file: Path | None = Field(None, description="PEM file of who signed Redis (`rediss://`).")
    database_password: SecretStr = Field(
        SecretStr(""), description="Of the accounts database, where `database_url` has none."
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("worker_agents")
    @classmethod
    def _known_agents(cls, value: str) -> str:
        known = {"transcode", "comments", "reactions", "viewers", "cues", "jobs", "transform"}
        unknown = {name.strip() for name in value.split(",")} - known
        if unknown:
            raise ValueError(f"unknown agents {sorted(unknown)}; choose from {sorted(known)}")
        return value

    @field_validator("segment_url")
    @classmethod
    def _known_store(cls, value: SecretStr) -> SecretStr:
        scheme, colon, _ = value.get_secret_value().partition("://")
        if (colon and scheme in {"redis", "rediss", "unix"}) or not value.get_secret_value():
            return value
        raise ValueError("expected redis://HOST:PORT/NUMBER, rediss://… or unix://…")

    @field_validator("recordings_url")
    @classmethod
    def _known_recordings(cls, value: str) -> str:
        if value and re.fullmatch(r"file:///.+|(s3|gs|az)://[A-Za-z0-9][^/\s@]*(/\S*)?", value) is None:
            raise ValueError("expected file:///DIR, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        networks_of(value)
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: SecretStr) -> SecretStr:
        if re.fullmatch(r"(smtps?://([^@/\s]+@)?[^@/\s:]+(:[0-9]{1,5})?/?)?", value.get_secret_value()) is None:
            raise ValueError("expected smtp://USER:PASSWORD@HOST:PORT or smtps://…")
        return value

    @model_validator(mode="after")
    def _has_a_user_for_sasl(self) -> Self:
        if self.kafka_security_protocol.startswith("SASL_") and not (
            self.kafka_user and self.kafka_password.get_secret_value()
        ):
            raise ValueError(
                f"kafka_security_protocol is {self.kafka_security_protocol}: expected kafka_user and kafka_password "
                "(LOGCAST_KAFKA_PASSWORD_FILE names its file)"
            )
        return self

    @model_validator(mode="after")
    def _parts_outlive_the_playlist(self) -> Self:
        if self.hot_retention_s < self.window_s + 60:
            raise ValueError(
                f"hot_retention_s is {self.hot_retention_s}, expected at least window_s + 60 ({self.window_s + 60}): "
                "playlists would list parts that are gone"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (the signature is pydantic's)
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources: options, environment, files of secrets, TOML file."""
        toml = TomlConfigSettingsSource(settings_cls, toml_file=os.environ.get("LOGCAST_CONFIG", "logcast.toml"))
        return init_settings, env_settings, SecretFiles(settings_cls), toml

    @property
    def local_host(self) -> str:
        """Where processes of this machine reach what listens on `bind_host`."""
        return "127.0.0.1" if self.bind_host in {"0.0.0.0", "::"} else self.bind_host  # noqa: S104

    @property
    def sql_url(self) -> str:
        """SQLAlchemy URL of the accounts database, the default filled in."""
        if self.database_url:
            return with_password(self.database_url, self.database_password.get_secret_value())
        return f"sqlite+aiosqlite:///{self.data_dir.resolve() / 'accounts.sqlite3'}"

    @property
    def copies_of_rows(self) -> int:
        """Replication factor of the keyspace."""
        return self.cassandra_replication or self.replication

    @property
    def segments_path(self) -> Path:
        """Directory of the hot segment store."""
        return self.segment_dir or self.data_dir / "segments"

    @property
    def push_port_or_next(self) -> int:
        """Where the ingest takes lossless pushes, the default filled in."""
        return self.push_port or self.rtmp_port + 1

    @property
    def spool_path(self) -> Path:
        """Directory of the ingests' spools."""
        return self.spool_dir or self.data_dir / "spool"

    def topic(self, name: str) -> str:
        """The name of a topic on this cluster."""
        return self.topic_prefix + name


def networks_of(text: str) -> list[IPv4Network | IPv6Network]:
    """Networks written as `10.0.0.0/8,::1`; none for `none` or nothing.

    Raises:
        ValueError: one is none.
    """
    names = [] if text.strip() == "none" else [name.strip() for name in text.split(",") if name.strip()]
    return [ip_network(name) for name in names]


def load_settings(**options: Any) -> Settings:
    """Read the settings once; `options` (None is left out) win over environment and file.

    Raises:
        SettingsError: with one line per wrong setting.
    """
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except UnreadableSecretError as error:
        raise SettingsError(str(error)) from error
    except ValidationError as error:
        lines = [_sentence(".".join(map(str, e["loc"])), e["msg"], e["input"]) for e in error.errors()]
        raise SettingsError("wrong setting: " + "; ".join(lines)) from None


def _sentence(name: str, message: str, found: object) -> str:
    """What is wrong with a setting; a secret is not repeated, nor all settings where several do not fit together."""
    if not name:
        return message
    field = Settings.model_fields.get(name)
    if field is not None and field.annotation is SecretStr:
        return f"{name}: {message}"
    return f"{name}: {message} (found {found!r})"
