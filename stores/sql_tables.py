"""The tables of the SQL database: channels and keys, users, what they may and whom they follow, their sessions.

Times are wall clock in ms since 1970. Of every secret there is a hash only. A user's `number` is dense, from 1, and never
used again: sets of users are then small bitmaps.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData()

channels_table = Table(
    "channels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("title", String(200), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("keep_days", Integer, nullable=True),
    Column("visibility", String(16), nullable=True),
    Column("tags", String(400), nullable=True),
    Column("description", Text, nullable=True),
)
stream_keys_table = Table(
    "stream_keys",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("channel_id", ForeignKey("channels.id"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("revoked_ms", BigInteger, nullable=True),
)
users_table = Table(
    "users",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("id", String(18), nullable=False, unique=True),
    Column("login", String(32), nullable=False, unique=True),
    Column("name", String(32), nullable=False),
    Column("name_key", String(64), nullable=False, unique=True),
    Column("email", String(254), nullable=False),
    Column("colour", String(7), nullable=False),
    Column("avatar", String(500), nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("password_hash", String(255), nullable=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("email_verified", Boolean, nullable=False, server_default=false()),
)
roles_table = Table(
    "channel_roles",
    metadata,
    Column("user_number", ForeignKey("users.number"), primary_key=True),
    Column("channel_id", ForeignKey("channels.id"), primary_key=True, index=True),
    Column("role", String(16), nullable=False),
    Column("granted_ms", BigInteger, nullable=False),
    Column("granted_by", String(64), nullable=False),
)
follows_table = Table(
    "follows",
    metadata,
    Column("user_number", ForeignKey("users.number"), primary_key=True),
    Column("channel_id", ForeignKey("channels.id"), primary_key=True, index=True),
    Column("since_ms", BigInteger, nullable=False),
)
sessions_table = Table(
    "sessions",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("user_number", ForeignKey("users.number"), nullable=False, index=True),
    Column("device", String(200), nullable=False),
    Column("address", String(32), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
    Column("revoked_ms", BigInteger, nullable=True),
)
refresh_tokens_table = Table(
    "refresh_tokens",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("session_id", ForeignKey("sessions.id"), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
    Column("used_ms", BigInteger, nullable=True),
)
password_resets_table = Table(
    "password_resets",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("user_number", ForeignKey("users.number"), nullable=False, index=True),
    Column("expires_ms", BigInteger, nullable=False),
)
email_verifications_table = Table(
    "email_verifications",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("user_number", ForeignKey("users.number"), nullable=False, index=True),
    Column("email", String(254), nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
)
outside_identities_table = Table(
    "outside_identities",
    metadata,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("user_number", ForeignKey("users.number"), nullable=False, index=True),
    Column("created_ms", BigInteger, nullable=False),
)
emotes_table = Table(
    "emotes",
    metadata,
    Column("channel_id", ForeignKey("channels.id"), primary_key=True),
    Column("name", String(32), primary_key=True),
    Column("media_type", String(32), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("made_by", String(64), nullable=False),
)
shared_block_lists_table = Table(
    "shared_block_lists",
    metadata,
    Column("channel_id", ForeignKey("channels.id"), primary_key=True),
    Column("since_ms", BigInteger, nullable=False),
)
used_block_lists_table = Table(
    "used_block_lists",
    metadata,
    Column("channel_id", ForeignKey("channels.id"), primary_key=True),
    Column("source_id", ForeignKey("channels.id"), primary_key=True, index=True),
    Column("since_ms", BigInteger, nullable=False),
)
