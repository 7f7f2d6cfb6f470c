"""What a worker counts, for Prometheus."""

from prometheus_client import Counter, Gauge, Histogram

CHUNKS = Counter("logcast_worker_chunks", "Source chunks taken from the log.", ["track"])
REPEATS = Counter("logcast_worker_repeated_chunks", "Source chunks that had been done before.")
PARTS = Counter("logcast_worker_parts", "Parts stored and announced.", ["rendition"])
PART_SECONDS = Histogram(
    "logcast_worker_part_seconds",
    "From the chunk at the ingest to the part on the log.",
    ["rendition"],
    buckets=(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10),
)
ENCODE_CPU = Counter("logcast_worker_encode_cpu_seconds", "CPU time of decoding, scaling and encoding.")
GOPS_OPEN = Gauge("logcast_worker_gops_open", "GOPs whose closing marker has not come.")
GOPS_SKIPPED = Counter("logcast_worker_gops_skipped", "GOPs of which no rung was made in time for viewers.")
RUNGS_DEFERRED = Counter("logcast_worker_rungs_deferred", "Rungs of GOPs that were left to be made later.")
RUNGS_LEFT_OUT = Gauge("logcast_worker_rungs_left_out", "Rungs, from the largest, that new GOPs do without.")
ENCODERS_BUSY = Gauge("logcast_worker_encoders_busy_ratio", "Share of the encoders' time that is used: 1 is all of it.")
GOPS_IDLE = Counter("logcast_worker_gops_idle_closed", "GOPs that were closed because nothing came any more.")
TRANSCODE_LAG = Gauge("logcast_worker_transcode_lag_seconds", "How long the chunk that is transcoded now has waited.")
WAITING_BYTES = Gauge("logcast_worker_waiting_bytes", "Source bytes that wait to be transcoded.")
DEAD_LETTERS = Counter("logcast_worker_dead_letters", "Records that could not be processed.", ["agent"])
DROPPED = Counter("logcast_worker_dropped_chunks", "Chunks that came after their GOP was closed, or out of order.")
TASKS = Counter("logcast_worker_tasks", "Tasks of requested renditions that were finished.", ["outcome"])
