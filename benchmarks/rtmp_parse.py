"""How much CPU it takes to read RTMP, and how far that is from doing nothing: `python -m benchmarks.rtmp_parse`.

A publish of 6 Mbit/s video (30 fps, a keyframe every 2 s of eight times the size) and 128 kbit/s audio is read by a
`ServerConnection` and its FLV tag bodies by `media.flv`, in pieces as a socket gives them. "hostile" is a publisher that
sends audio of one byte in messages of two: the most work for the fewest bytes.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from media.flv import parse_audio, parse_video
from media.rtmp.connection import AudioReceived, PublishRequested, ServerConnection, VideoReceived
from tests.rtmp_client import RtmpClient, aac_frame, avc_frame

VIDEO_BYTES_S = 6_000_000 // 8
AUDIO_BYTES_S = 128_000 // 8
FPS = 30
GOP_FRAMES = 60
KEY_WEIGHT = 8
AUDIO_MS = 1024 / 44.1


@dataclass(frozen=True, slots=True)
class Result:
    """CPU time of one run; `media_s` is the length of the stream, 0 if it has none."""

    wire_bytes: int
    messages: int
    cpu_s: float
    media_s: float


def media(client: RtmpClient, seconds: int) -> Iterator[bytes]:
    """Make `seconds` of audio and video in order of time."""
    delta = VIDEO_BYTES_S * GOP_FRAMES // FPS // (GOP_FRAMES + KEY_WEIGHT - 1)
    audio_body = aac_frame(bytes(round(AUDIO_BYTES_S * AUDIO_MS / 1000)))
    bodies = {key: avc_frame(bytes(delta * (KEY_WEIGHT if key else 1)), keyframe=key) for key in (True, False)}
    audio_ms = 0.0
    for frame in range(seconds * FPS):
        video_ms = frame * 1000 // FPS
        while audio_ms <= video_ms:
            yield client.audio(round(audio_ms), audio_body)
            audio_ms += AUDIO_MS
        yield client.video(video_ms, bodies[frame % GOP_FRAMES == 0])


def regular(chunk_size: int, seconds: int) -> bytes:
    """Make a whole publish with one chunk size."""
    client = RtmpClient()
    opening = client.hello() + client.c2() + client.publish() + client.set_chunk_size(chunk_size)
    return opening + b"".join(media(client, seconds))


def hostile(messages: int) -> bytes:
    """Make a publish of audio messages of one byte of body and one of header."""
    client = RtmpClient()
    return client.hello() + client.c2() + client.publish() + client.audio(0, b"\x2f") + b"\xc4\x2f" * messages


def read(data: bytes, read_bytes: int, media_s: float) -> Result:
    """Read a publish in pieces of `read_bytes`; give the CPU time that took."""
    connection = ServerConnection(epoch_ms=0, random_bytes=bytes(1528))
    view, messages = memoryview(data), 0
    started = time.process_time()
    for start in range(0, len(data), read_bytes):
        connection.receive_data(bytes(view[start : start + read_bytes]))
        for event in connection.events():
            if isinstance(event, VideoReceived):
                parse_video(event.payload)
            elif isinstance(event, AudioReceived):
                parse_audio(event.payload)
            elif isinstance(event, PublishRequested):
                connection.accept_publish()
            messages += 1
        connection.data_to_send()
    return Result(len(data), messages, time.process_time() - started, media_s)


def best(run: Callable[[], Result], rounds: int) -> Result:
    """Give the fastest of some runs."""
    return min((run() for _ in range(rounds)), key=lambda result: result.cpu_s)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=20, help="length of the stream (default 20)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each row, the fastest counts (default 3)")
    options = parser.parse_args()
    print("| stream | read size | wire MB | messages | CPU s | MB/s | µs a message | % of a core for one publisher |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    rows = [
        (f"6 Mbit/s, chunks of {size}", regular(size, options.seconds), options.seconds) for size in (128, 4096, 65_536)
    ]
    rows.append(("hostile", hostile(50_000), 0))
    for name, data, seconds in rows:
        for read_bytes in (1_460, 65_536):
            result = best(partial(read, data, read_bytes, seconds), options.rounds)
            megabytes = result.wire_bytes / 1e6
            share = f"{100 * result.cpu_s / result.media_s:.2f}" if result.media_s else "-"
            print(
                f"| {name} | {read_bytes} | {megabytes:.1f} | {result.messages} | {result.cpu_s:.3f} "
                f"| {megabytes / result.cpu_s:.1f} | {1e6 * result.cpu_s / result.messages:.1f} | {share} |"
            )


if __name__ == "__main__":
    main()
