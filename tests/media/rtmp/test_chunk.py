import itertools
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtmp.chunk import ChunkReader, chunks
from media.rtmp.errors import ChunkError, LimitError, MessageError, RtmpError
from media.rtmp.limits import RtmpLimits
from media.rtmp.messages import Message, MessageType
from tests.rtmp_client import RtmpClient, basic_header

LIMITS = RtmpLimits()


def messages_of(reader: ChunkReader, data: bytes) -> Iterator[Message]:
    reader.feed(data)
    while (message := reader.next_message()) is not None:
        yield message


def read(*parts: bytes, limits: RtmpLimits = LIMITS) -> list[Message]:
    reader = ChunkReader(limits)
    return [message for part in parts for message in messages_of(reader, part)]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def outcome(parts: list[bytes], limits: RtmpLimits) -> tuple[list[Message], str]:
    """Give the messages and the error that ended them."""
    reader, messages = ChunkReader(limits), []
    try:
        for part in parts:
            for message in messages_of(reader, part):
                messages.append(message)  # noqa: PERF402 - those before an error count
    except RtmpError as error:
        return messages, str(error)
    return messages, ""


# One message in each header format, by hand (5.3.1.2.1 to 5.3.1.2.4).
TYPE_0 = bytes.fromhex("04 000064 000003 08 01000000") + b"abc"
TYPE_1 = bytes.fromhex("44 00000a 000002 09") + b"de"
TYPE_2 = bytes.fromhex("84 000014") + b"fg"
TYPE_3 = bytes.fromhex("c4") + b"hi"


def test_each_header_format_takes_the_rest_from_the_chunk_before() -> None:
    assert read(TYPE_0 + TYPE_1 + TYPE_2 + TYPE_3) == [
        Message(8, 100, 1, b"abc"),
        Message(9, 110, 1, b"de"),
        Message(9, 130, 1, b"fg"),
        Message(9, 150, 1, b"hi"),
    ]


def test_a_type_3_chunk_that_starts_a_message_after_type_0_adds_the_time_of_type_0() -> None:
    assert [message.timestamp for message in read(TYPE_0 + b"\xc4xyz" + b"\xc4xyz")] == [100, 200, 300]


@pytest.mark.parametrize("chunk_stream", [2, 63, 64, 319, 320, 65_599])
def test_chunk_stream_ids_have_one_two_or_three_bytes(chunk_stream: int) -> None:
    client = RtmpClient(chunk_size=128)
    body = bytes(range(256)) * 2
    data = client.message(9, body, timestamp=7, stream_id=1, chunk_stream=chunk_stream)
    assert read(data) == [Message(9, 7, 1, body)]
    assert len(data) == 11 + len(body) + 4 * len(basic_header(0, chunk_stream))


def test_messages_of_two_chunk_streams_may_alternate_chunk_by_chunk() -> None:
    client = RtmpClient(chunk_size=128)
    video = client.message_chunks(9, b"v" * 500, timestamp=5, stream_id=1, chunk_stream=6)
    audio = client.message_chunks(8, b"a" * 300, timestamp=6, stream_id=1, chunk_stream=4)
    mixed = [video[0], audio[0], video[1], audio[1], audio[2], video[2], video[3]]
    assert read(b"".join(mixed)) == [Message(8, 6, 1, b"a" * 300), Message(9, 5, 1, b"v" * 500)]


def test_set_chunk_size_counts_from_the_next_chunk_on_also_inside_other_messages() -> None:
    client = RtmpClient(chunk_size=128)
    video = client.message_chunks(9, b"v" * 400, chunk_stream=6)
    data = video[0] + client.set_chunk_size(1000) + basic_header(3, 6) + b"v" * 272
    assert read(data)[-1] == Message(9, 0, 0, b"v" * 400)


def test_abort_drops_what_was_read_of_a_message() -> None:
    client = RtmpClient(chunk_size=128)
    video = client.message_chunks(9, b"v" * 400, timestamp=40, chunk_stream=6)
    client.compress = False
    again = client.message(9, b"w" * 130, timestamp=80, chunk_stream=6)
    assert read(video[0] + video[1] + client.abort(6) + again)[1:] == [Message(9, 80, 0, b"w" * 130)]
    assert read(client.abort(6) + client.abort(999)) == [
        Message(2, 0, 0, (6).to_bytes(4, "big")),
        Message(2, 0, 0, (999).to_bytes(4, "big")),
    ]


def test_empty_messages_are_messages() -> None:
    client = RtmpClient()
    data = (
        client.message(8, b"", timestamp=1) + client.message(8, b"", timestamp=1) + client.message(8, b"x", timestamp=2)
    )
    assert read(data) == [Message(8, 1, 0, b""), Message(8, 1, 0, b""), Message(8, 2, 0, b"x")]


def test_a_chunk_stream_may_start_with_type_1_as_librtmp_pings_do() -> None:
    ping = bytes.fromhex("42 000000 000006 04 0006 0000002a")
    assert read(ping) == [Message(4, 0, 0, bytes.fromhex("0006 0000002a"))]


EXTENDED_TIMES = [0xFFFFFE, 0xFFFFFF, 0x1000000, 0x1000028, 0xFFFFFFFF]


@pytest.mark.parametrize("repeated", [True, False])
@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("time", EXTENDED_TIMES)
def test_extended_timestamps_are_read_with_and_without_their_repetition(
    time: int, compress: bool, repeated: bool
) -> None:
    client = RtmpClient(chunk_size=128, compress=compress, extended_in_type_3=repeated)
    bodies = [bytes((i,)) * size for i, size in enumerate((400, 400, 129, 130, 131, 132, 5))]
    data = b"".join(client.video(time, body) for body in bodies) + client.audio(0, b"end")
    messages = read(*(data[i : i + 1] for i in range(len(data))))
    assert [(message.timestamp, message.body) for message in messages[:-1]] == [(time, body) for body in bodies]
    assert read(data) == messages


def test_an_extended_delta_is_added() -> None:
    client = RtmpClient(chunk_size=128)
    times = [10, 0x2000000, 0x4000000 - 10, 0x4000000]
    data = b"".join(client.video(time, b"v" * 200) for time in times)
    assert [message.timestamp for message in read(data)] == times


def test_type_3_chunks_may_repeat_the_absolute_timestamp_after_an_extended_delta() -> None:
    first = bytes.fromhex("06 ffffff 000001 09 01000000 01000000") + b"a"
    second = bytes.fromhex("46 ffffff 000082 09 01000000") + b"b" * 128 + bytes.fromhex("c6 02000000") + b"bb"
    assert [message.timestamp for message in read(first + second)] == [0x1000000, 0x2000000]
    assert read(first + second)[1].body == b"b" * 130


def test_what_a_chunk_stream_must_not_do_is_refused() -> None:
    with pytest.raises(ChunkError, match="chunk stream 4 starts with a type 3 chunk, expected type 0"):
        read(TYPE_3)
    with pytest.raises(ChunkError, match="starts with a type 2 chunk"):
        read(TYPE_2)
    client = RtmpClient(chunk_size=128, compress=False)
    halves = client.message_chunks(9, b"v" * 200, chunk_stream=6)
    with pytest.raises(
        ChunkError, match="type 0 chunk on chunk stream 6 after 128 of 200 bytes of a message, expected type 3"
    ):
        read(halves[0] + halves[0])


@pytest.mark.parametrize("size", [0, 0x80000000, 0xFFFFFFFF])
def test_chunk_sizes_outside_of_the_specification_are_refused(size: int) -> None:
    with pytest.raises(MessageError, match=f"found chunk size {size}"):
        read(RtmpClient().set_chunk_size(size))


def test_control_messages_that_are_too_short_are_refused() -> None:
    for kind in (MessageType.SET_CHUNK_SIZE, MessageType.ABORT):
        with pytest.raises(MessageError, match=r"read 3 bytes of .*, expected 4"):
            read(RtmpClient().message(kind, bytes(3), chunk_stream=2))


def test_a_message_over_the_limit_is_refused_by_its_header_alone() -> None:
    limits = RtmpLimits(message_bytes=1000, partial_bytes=1500)
    header = bytes.fromhex("04 000000 0003e9 09 01000000")
    with pytest.raises(LimitError, match=r"message of 1001 bytes \(type 9\), at most 1000"):
        read(header, limits=limits)


def test_unfinished_messages_over_the_limit_are_refused() -> None:
    limits = RtmpLimits(message_bytes=1000, partial_bytes=1500)
    client = RtmpClient(chunk_size=128)
    halves = [client.message_chunks(9, b"v" * 800, chunk_stream=stream)[0] for stream in (4, 5)]
    with pytest.raises(LimitError, match="unfinished messages of 1600 bytes, at most 1500"):
        read(*halves, limits=limits)


def test_the_limit_on_unfinished_messages_is_free_again_when_they_are_complete_or_aborted() -> None:
    limits = RtmpLimits(message_bytes=1000, partial_bytes=1000)
    client = RtmpClient(chunk_size=128, compress=False)
    data = b""
    for stream in (4, 5, 6):
        data += client.message_chunks(9, b"v" * 900, chunk_stream=stream)[0] + client.abort(stream)
        data += client.message(9, b"v" * 900, chunk_stream=stream)
    assert len([message for message in read(data, limits=limits) if message.type_id == 9]) == 3


def test_too_many_chunk_streams_are_refused() -> None:
    client = RtmpClient()
    data = [client.message(8, b"a", chunk_stream=stream) for stream in range(3, 7)]
    assert len(read(*data[:3], limits=RtmpLimits(chunk_streams=3))) == 3
    with pytest.raises(LimitError, match="more than 3 chunk streams"):
        read(*data, limits=RtmpLimits(chunk_streams=3))


def test_the_reader_keeps_no_bytes_it_has_understood() -> None:
    reader = ChunkReader(LIMITS)
    client = RtmpClient(chunk_size=128)
    data = client.video(0, b"v" * 100_000)
    kept = 0
    for start in range(0, len(data), 1000):
        assert list(messages_of(reader, data[start : start + 1000])) == [] or start + 1000 >= len(data)
        kept = max(kept, len(reader._buffer))
    assert kept <= 18
    assert reader.consumed == len(data)


def test_written_chunks_are_read_back() -> None:
    message = Message(20, 5, 1, b"x" * 1000)
    for size in (1, 128, 999, 1000, 65_536):
        client = RtmpClient()
        data = client.set_chunk_size(size) + chunks(message, chunk_stream_id=3, chunk_size=size)
        assert read(data)[1:] == [message]


@pytest.mark.parametrize(("stream", "time"), [(1, 0), (64, 0), (3, 0xFFFFFF)])
def test_the_writer_refuses_what_it_has_no_form_for(stream: int, time: int) -> None:
    with pytest.raises(ValueError, match="expected 2 to 63"):
        chunks(Message(20, time, 0, b""), chunk_stream_id=stream, chunk_size=128)


media = st.tuples(
    st.sampled_from([8, 9, 18]),
    st.integers(0, (1 << 32) - 1) | st.integers(0, 5000),
    st.integers(0, 700),
    st.sampled_from([4, 5, 6, 70, 400]),
)


@st.composite
def publications(draw: st.DrawFn) -> tuple[bytes, list[Message]]:
    """Draw a stream of messages and the bytes of it."""
    client = RtmpClient(chunk_size=128, compress=draw(st.booleans()), extended_in_type_3=draw(st.booleans()))
    data, messages = bytearray(), []
    for index, (kind, time, size, chunk_stream) in enumerate(draw(st.lists(media, max_size=12))):
        if draw(st.booleans()):
            chunk_size = draw(st.sampled_from([1, 7, 128, 129, 700, 4096]))
            data += client.set_chunk_size(chunk_size)
            messages.append(Message(1, 0, 0, chunk_size.to_bytes(4, "big")))
        body = bytes((index, 0xC4)) * (size // 2)  # header bytes of type 3 inside the bodies
        data += client.message(kind, body, timestamp=time, stream_id=1, chunk_stream=chunk_stream)
        messages.append(Message(kind, time, 1, body))
    return bytes(data), messages


@settings(max_examples=60, deadline=None)
@given(publications(), st.lists(st.integers(0, 1 << 30), max_size=12))
def test_any_split_of_any_stream_gives_its_messages(drawn: tuple[bytes, list[Message]], cuts: list[int]) -> None:
    data, messages = drawn
    assert read(*split(data, cuts)) == messages


@settings(max_examples=30, deadline=None)
@given(publications())
def test_single_bytes_give_the_messages_too(drawn: tuple[bytes, list[Message]]) -> None:
    data, messages = drawn
    assert read(*(data[i : i + 1] for i in range(len(data)))) == messages


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=600), st.lists(st.integers(0, 1 << 30), max_size=6))
def test_any_bytes_in_any_split_give_the_same_messages_and_the_same_error(data: bytes, cuts: list[int]) -> None:
    limits = RtmpLimits(message_bytes=300, partial_bytes=500, chunk_streams=4)
    assert outcome(split(data, cuts), limits) == outcome([data], limits)


@settings(max_examples=60, deadline=None)
@given(publications(), st.data())
def test_damaged_streams_in_any_split_give_the_same_messages_and_the_same_error(
    drawn: tuple[bytes, list[Message]], data: st.DataObject
) -> None:
    wire = bytearray(drawn[0])
    for _ in range(3 if wire else 0):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(
            st.sampled_from([0x00, 0x04, 0x44, 0xC4, 0xC6, 0xFF])
        )
    cuts = data.draw(st.lists(st.integers(0, 1 << 30), max_size=8))
    assert outcome(split(bytes(wire), cuts), LIMITS) == outcome([bytes(wire)], LIMITS)
