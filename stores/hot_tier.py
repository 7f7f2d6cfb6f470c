"""Which hot segment store an installation has."""

import time
from urllib.parse import urlencode

from stores.redis_segments import RedisSegmentStore
from stores.secret_files import with_password
from stores.segments import LocalSegmentStore, SegmentStore, SegmentStoreError
from stores.settings import Settings


def open_segment_store(settings: Settings) -> SegmentStore:
    """The store of `segment_url`: Redis, or the local directory when it is empty. Nothing is connected yet."""
    url = _redis_url(settings)
    if not url:
        return LocalSegmentStore(settings.segments_path)
    return RedisSegmentStore(url, settings.hot_retention_s, time.time, f"logcast:{settings.topic_prefix}")


def _redis_url(settings: Settings) -> str:
    """The address of Redis with what is kept in files: password, certificates."""
    url = with_password(settings.segment_url.get_secret_value(), settings.segment_password.get_secret_value())
    if settings.segment_ca_file is None or not url.startswith("rediss://"):
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode({'ssl_ca_certs': settings.segment_ca_file})}"


def hot_tier_place(settings: Settings) -> str:
    """Where the hot segments are, for people; without a password."""
    store = open_segment_store(settings)
    return f"Redis at {store.address}" if isinstance(store, RedisSegmentStore) else str(settings.segments_path)


def hot_tier_problem(settings: Settings) -> str:
    """Why the hot store cannot be used now and what to do, in one sentence; empty when it can. Blocks some seconds."""
    store = open_segment_store(settings)
    try:
        store.check()
    except SegmentStoreError as error:
        return str(error)
    finally:
        store.close()
    return ""
