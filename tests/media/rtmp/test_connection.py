import itertools
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.rtmp import amf0
from media.rtmp.amf0 import AmfValue
from media.rtmp.connection import (
    AmfError,
    AudioReceived,
    ChunkError,
    CommandError,
    Connected,
    Event,
    HandshakeError,
    LimitError,
    MessageError,
    Metadata,
    PlayRequested,
    PublishEnded,
    PublishRequested,
    RtmpError,
    RtmpLimits,
    ServerConnection,
    State,
    VideoReceived,
    WrongStateError,
)
from media.rtmp.messages import Message, MessageType
from media.rtmp.state import TRANSITIONS, Step
from tests.rtmp_client import RtmpClient, ServerReplies, aac_config, aac_frame, avc_config, avc_frame

CONNECTED = Connected("live", "rtmp://localhost/live", "FMLE/3.0", ())
REQUESTED = PublishRequested("live", "key", "live")


class Session:
    """A client and a server connection that talk without a network."""

    def __init__(self, *, limits: RtmpLimits | None = None, client: RtmpClient | None = None) -> None:
        self.client = client or RtmpClient()
        self.server = ServerConnection(limits=limits, epoch_ms=1000, random_bytes=bytes(1528))
        self.replies = ServerReplies()

    def send(self, *data: bytes) -> list[Event]:
        for part in data:
            self.server.receive_data(part)
        self.replies.receive(self.server.data_to_send())
        return list(self.server.events())

    def greet(self) -> "Session":
        self.send(self.client.hello(), self.client.c2())
        return self

    def ask(self) -> "Session":
        """Come to the point where a publish waits for an answer."""
        assert self.greet().send(self.client.publish()) == [CONNECTED, REQUESTED]
        return self

    def publish(self) -> "Session":
        self.ask().server.accept_publish()
        self.send(b"")
        return self

    def command_replies(self, name: str) -> list[list[AmfValue]]:
        return [values for values in self.replies.commands() if values[0] == name]


def test_a_publish_from_handshake_to_end() -> None:
    session = Session()
    client, server = session.client, session.server
    assert session.send(client.hello()) == []
    assert len(session.replies.handshake) == 3073
    assert session.send(client.c2()) == []
    assert session.send(client.publish("live", "key")) == [CONNECTED, REQUESTED]
    server.accept_publish()
    assert session.send(
        client.metadata({"width": 160.0}),
        client.video(0, avc_config()),
        client.audio(0, aac_config()),
        client.video(40, avc_frame(b"v" * 300, keyframe=True)),
        client.audio(23, aac_frame(b"a")),
    ) == [
        Metadata({"width": 160.0}),
        VideoReceived(0, avc_config()),
        AudioReceived(0, aac_config()),
        VideoReceived(40, avc_frame(b"v" * 300, keyframe=True)),
        AudioReceived(23, aac_frame(b"a")),
    ]
    assert session.send(client.unpublish()) == [PublishEnded()]
    assert server.state is State.CONNECTED
    assert session.replies.statuses() == ["NetStream.Publish.Start", "NetStream.Unpublish.Success"]


def test_connect_is_answered_with_windows_chunk_size_and_success() -> None:
    session = Session().greet()
    session.send(session.client.connect("live"))
    controls = [(message.type_id, message.body) for message in session.replies.messages[:3]]
    assert controls == [
        (MessageType.WINDOW_ACKNOWLEDGEMENT_SIZE, (2_500_000).to_bytes(4, "big")),
        (MessageType.SET_PEER_BANDWIDTH, (2_500_000).to_bytes(4, "big") + b"\x02"),
        (MessageType.SET_CHUNK_SIZE, (65_536).to_bytes(4, "big")),
    ]
    (reply,) = session.command_replies("_result")
    assert reply[1] == 1.0
    assert isinstance(reply[2], dict)
    assert "fourCcList" not in reply[2]
    assert isinstance(reply[3], dict)
    assert reply[3]["code"] == "NetConnection.Connect.Success"
    assert reply[3]["objectEncoding"] == 0.0


@pytest.mark.parametrize(
    ("properties", "fourccs"),
    [
        ({"fourCcList": ["hvc1", "av01"]}, ("hvc1", "av01")),
        ({"videoFourCcInfoMap": {"*": 4.0}, "audioFourCcInfoMap": {"Opus": 1.0}}, ("*", "Opus")),
        ({"fourCcList": ["avc1", 5.0], "videoFourCcInfoMap": {"avc1": 7.0}}, ("avc1",)),
    ],
)
def test_clients_of_enhanced_rtmp_are_told_our_codecs(
    properties: dict[str, amf0.Encodable], fourccs: tuple[str, ...]
) -> None:
    session = Session().greet()
    (event,) = session.send(session.client.connect("live", **properties))
    assert isinstance(event, Connected)
    assert event.fourcc_list == fourccs
    (reply,) = session.command_replies("_result")
    assert isinstance(reply[2], dict)
    assert reply[2]["fourCcList"] == ["avc1", "hvc1", "av01", "mp4a"]
    assert reply[2]["videoFourCcInfoMap"] == {"avc1": 5.0, "hvc1": 5.0, "av01": 5.0}
    assert reply[2]["audioFourCcInfoMap"] == {"mp4a": 5.0}
    assert reply[2]["capsEx"] == 4.0


def test_every_call_of_an_encoder_is_answered_under_its_transaction() -> None:
    session = Session().publish()
    answered = [(values[1], values[3]) for values in session.command_replies("_result")]
    assert [number for number, _ in answered] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert answered[3] == (4.0, 1.0)
    assert len(session.command_replies("onFCPublish")) == 1


def test_commands_of_amf3_clients_are_understood() -> None:
    session = Session().greet()
    client = session.client
    data = client.command("connect", {"app": "live", "objectEncoding": 3.0}, amf3=True)
    data += client.command("createStream", None, amf3=True)
    data += client.command("publish", None, "key", "record", stream_id=1, amf3=True)
    assert session.send(data) == [Connected("live", "", "", ()), PublishRequested("live", "key", "record")]


def test_a_refused_publisher_reads_why_and_may_try_another_key() -> None:
    session = Session().ask()
    session.server.refuse_publish()
    assert session.send(session.client.publish_command("other")) == [PublishRequested("live", "other", "live")]
    session.server.accept_publish()
    session.send(b"")
    assert session.replies.statuses() == ["NetStream.Publish.BadName", "NetStream.Publish.Start"]


def test_a_refusal_carries_the_code_and_description_of_the_caller() -> None:
    session = Session().ask()
    session.server.refuse_publish("NetStream.Publish.Denied", "Too many streams.")
    session.send(b"")
    (status,) = session.command_replies("onStatus")
    assert status == [
        "onStatus",
        0.0,
        None,
        {"level": "error", "code": "NetStream.Publish.Denied", "description": "Too many streams."},
    ]
    assert session.replies.messages[-1].stream_id == 1


def test_media_sent_ahead_of_the_answer_comes_out_after_it() -> None:
    session = Session().ask()
    client = session.client
    assert (
        session.send(client.metadata({"width": 1.0}), client.video(0, avc_config()), client.audio(5, b"\xaf\x01a"))
        == []
    )
    session.server.accept_publish()
    assert session.send(client.video(40, avc_frame(b"v"))) == [
        Metadata({"width": 1.0}),
        VideoReceived(0, avc_config()),
        AudioReceived(5, b"\xaf\x01a"),
        VideoReceived(40, avc_frame(b"v")),
    ]


def test_media_sent_ahead_of_a_refusal_is_gone() -> None:
    session = Session().ask()
    session.send(session.client.video(0, avc_config()))
    session.server.refuse_publish()
    assert session.send(session.client.video(40, avc_frame(b"v"))) == []
    assert session.send(session.client.publish_command("key")) == [REQUESTED]
    session.server.accept_publish()
    assert session.send(session.client.video(80, avc_frame(b"w"))) == [VideoReceived(80, avc_frame(b"w"))]


def test_a_publisher_that_has_left_before_the_answer_loses_nothing_by_it() -> None:
    session = Session().ask()
    session.send(session.client.video(0, avc_config()), session.client.unpublish())
    session.server.accept_publish()
    assert list(session.server.events()) == [VideoReceived(0, avc_config()), PublishEnded()]
    assert session.server.state is State.CONNECTED


def test_a_publisher_that_is_refused_after_it_has_left_ends_nothing() -> None:
    session = Session().ask()
    session.send(session.client.video(0, avc_config()), session.client.unpublish())
    session.server.refuse_publish()
    assert list(session.server.events()) == []
    assert session.server.state is State.CONNECTED


def test_a_violation_ahead_of_the_answer_shows_when_it_is_given() -> None:
    session = Session().ask()
    session.send(bytes.fromhex("ff"))
    with pytest.raises(ChunkError):
        session.server.accept_publish()
    assert session.server.state is State.FAILED


def test_a_connection_may_publish_again() -> None:
    session = Session().publish()
    client = session.client
    session.send(client.video(900_000, avc_frame(b"v")), client.unpublish(), client.create_stream())
    client.stream_id = 2
    assert session.send(client.publish_command("second")) == [PublishRequested("live", "second", "live")]
    session.server.accept_publish()
    assert session.send(client.video(0, avc_frame(b"w"))) == [VideoReceived(0, avc_frame(b"w"))]


def test_a_second_publish_beside_the_first_is_refused_and_its_media_ignored() -> None:
    session = Session().publish()
    client = session.client
    session.send(client.create_stream())
    client.stream_id = 2
    assert session.send(client.publish_command("second"), client.video(0, avc_frame(b"w"))) == []
    assert session.replies.statuses() == ["NetStream.Publish.Start", "NetStream.Publish.BadName"]
    client.stream_id = 1
    assert session.send(client.video(40, avc_frame(b"v"))) == [VideoReceived(40, avc_frame(b"v"))]


def test_media_on_a_stream_that_nobody_created_belongs_to_the_publish() -> None:
    session = Session().publish()
    session.client.stream_id = 0
    assert session.send(session.client.video(40, avc_frame(b"v"))) == [VideoReceived(40, avc_frame(b"v"))]


@pytest.mark.parametrize("name", ["deleteStream", "closeStream", "FCUnpublish"])
def test_each_way_to_end_a_publish_ends_it_once(name: str) -> None:
    session = Session().publish()
    argument: amf0.Encodable = 1.0 if name == "deleteStream" else "key"
    data = session.client.command(name, None, argument, stream_id=1)
    assert session.send(data) == [PublishEnded()]
    assert session.send(data, session.client.video(0, avc_frame(b"v"))) == []


def test_deleting_another_stream_does_not_end_the_publish() -> None:
    session = Session().publish()
    session.send(session.client.create_stream())
    assert session.send(session.client.command("deleteStream", None, 2.0)) == []
    assert session.send(session.client.command("deleteStream", None, 1e300)) == []
    assert session.server.state is State.PUBLISHING


def test_whoever_wants_to_play_is_refused() -> None:
    session = Session().greet()
    client = session.client
    session.send(client.connect(), client.create_stream())
    assert session.send(client.command("play", None, "key", -2000.0, stream_id=1)) == [PlayRequested("live", "key")]
    assert session.replies.statuses() == ["NetStream.Play.Failed"]


def test_stream_length_is_zero_and_unknown_calls_fail() -> None:
    session = Session().greet()
    client = session.client
    session.send(client.connect())
    session.send(client.command("getStreamLength", None, "key"), client.command("makeCoffee", None))
    session.send(client.command("noAnswerWanted", None, transaction=0), client.command("_result", None))
    assert session.command_replies("_result")[-1] == ["_result", 2.0, None, 0.0]
    (failed,) = session.command_replies("_error")
    assert failed[1] == 3.0
    assert isinstance(failed[3], dict)
    assert failed[3]["code"] == "NetConnection.Call.Failed"


def test_pings_are_answered_and_bandwidths_taken_note_of() -> None:
    session = Session().greet()
    session.send(session.client.ping(42))
    assert session.replies.messages[-1] == Message(MessageType.USER_CONTROL, 0, 0, bytes.fromhex("0007 0000002a"))
    bandwidth = session.client.message(6, (5000).to_bytes(4, "big") + b"\x02", chunk_stream=2)
    session.send(bandwidth, bandwidth)
    assert [message.type_id for message in session.replies.messages].count(5) == 1
    assert session.replies.messages[-1].body == (5000).to_bytes(4, "big")


def test_bytes_are_acknowledged_within_the_window_of_the_peer() -> None:
    session = Session().publish()
    session.send(session.client.message(5, (20_000).to_bytes(4, "big"), chunk_stream=2))
    for index in range(100):
        session.send(session.client.video(index, avc_frame(b"v" * 900)))
    numbers = [
        int.from_bytes(message.body, "big")
        for message in session.replies.messages
        if message.type_id == MessageType.ACKNOWLEDGEMENT
    ]
    assert numbers == sorted(numbers)
    assert session.server.bytes_received - numbers[-1] < 20_000
    assert max(later - earlier for earlier, later in itertools.pairwise(numbers)) <= 20_000


def test_aggregates_come_out_as_their_parts() -> None:
    session = Session().publish()
    metadata = amf0.encode("@setDataFrame", "onMetaData", {"height": 90.0})
    parts = [(18, 100, metadata), (9, 100, avc_config()), (8, 107, aac_config()), (9, 140, avc_frame(b"v"))]
    assert session.send(session.client.aggregate(1000, parts)) == [
        Metadata({"height": 90.0}),
        VideoReceived(1000, avc_config()),
        AudioReceived(1007, aac_config()),
        VideoReceived(1040, avc_frame(b"v")),
    ]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("wrap", [1 << 24, 1 << 32])
def test_timestamps_go_on_past_every_wrap(wrap: int, compress: bool) -> None:
    session = Session(client=RtmpClient(compress=compress)).publish()
    times = [wrap - 80, wrap - 40, wrap, wrap + 40, wrap + 80]
    data = []
    for index, time in enumerate(times):
        data += [session.client.video(time, avc_frame(b"v" * 200)), session.client.audio(time + index, b"\xaf\x01a")]
    wanted = [moment for index, time in enumerate(times) for moment in (time, time + index)]
    events = session.send(*data)
    assert [event.timestamp_ms for event in events if isinstance(event, (VideoReceived, AudioReceived))] == wanted


def test_silence_and_data_that_is_not_metadata_are_no_events() -> None:
    session = Session().publish()
    client = session.client
    text = client.message(18, amf0.encode("onTextData", {"text": "hi"}), stream_id=1)
    assert session.send(client.audio(0, b""), client.video(0, b""), text, client.message(18, b"", stream_id=1)) == []


def test_next_event_gives_one_at_a_time() -> None:
    session = Session().greet()
    session.server.receive_data(session.client.publish())
    assert session.server.next_event() == CONNECTED
    assert session.server.next_event() == REQUESTED
    assert session.server.next_event() is None


def test_report_tells_a_publisher_why_it_is_stopped() -> None:
    session = Session().publish()
    session.server.report("error", "NetStream.Publish.Denied", "HEVC is not taken here, send H.264.")
    session.server.report("warning", "NetConnection.Slow", "Later.")
    session.send(b"")
    assert session.replies.statuses()[1:] == ["NetStream.Publish.Denied", "NetConnection.Slow"]
    assert [message.stream_id for message in session.replies.messages[-2:]] == [1, 0]


def test_report_still_works_after_a_violation() -> None:
    session = Session().publish()
    with pytest.raises(ChunkError):
        session.send(bytes.fromhex("ff"))
    session.server.report("error", "NetStream.Publish.Denied", "That was no RTMP.")
    session.replies.receive(session.server.data_to_send())
    assert session.replies.statuses()[-1] == "NetStream.Publish.Denied"


def test_a_failed_connection_takes_no_more_data_but_keeps_its_events() -> None:
    session = Session().publish()
    good = session.client.video(0, avc_config())
    with pytest.raises(ChunkError):
        session.server.receive_data(good + bytes.fromhex("ff"))
    assert session.server.state is State.FAILED
    assert list(session.server.events()) == [VideoReceived(0, avc_config())]
    with pytest.raises(RtmpError, match="has failed before"):
        session.server.receive_data(b"")


def test_answers_that_nobody_asked_for_are_mistakes_of_the_caller() -> None:
    session = Session().greet()
    with pytest.raises(WrongStateError, match="accept_publish in state AWAITING_CONNECT, expected PUBLISH_REQUESTED"):
        session.server.accept_publish()
    with pytest.raises(WrongStateError, match="refuse_publish in state AWAITING_CONNECT"):
        session.server.refuse_publish()
    with pytest.raises(WrongStateError, match="expected a peer that has connected"):
        session.server.report("error", "NetConnection.Connect.Closed", "Bye.")
    with pytest.raises(WrongStateError, match="in state PUBLISHING"):
        Session().publish().server.accept_publish()


def test_the_random_bytes_must_be_as_many_as_the_handshake_has() -> None:
    with pytest.raises(ValueError, match="random_bytes has 4 bytes, expected 1528"):
        ServerConnection(epoch_ms=0, random_bytes=bytes(4))


def test_every_state_can_be_reached_and_left() -> None:
    reached = {State.AWAITING_C1, State.FAILED} | set(TRANSITIONS.values())
    assert reached == set(State)
    assert {state for state, _ in TRANSITIONS} == set(State) - {State.FAILED}
    assert {step for _, step in TRANSITIONS} == set(Step)


# Violations: what is sent after the handshake, and what is said of it.

VIOLATIONS: list[tuple[Callable[[RtmpClient], bytes], type[RtmpError], str]] = [
    (
        lambda c: c.create_stream(),
        CommandError,
        "found command 'createStream' in state AWAITING_CONNECT, expected connect",
    ),
    (lambda c: c.connect() + c.connect(), CommandError, "found command 'connect' in state CONNECTED"),
    (lambda c: c.command("connect", None), CommandError, "found NoneType as command object"),
    (lambda c: c.connect("live", tcUrl=5.0), CommandError, "found float as tcUrl of connect, expected a string"),
    (lambda c: c.connect() + c.publish_command("key"), CommandError, "publish on message stream 1, expected one"),
    (
        lambda c: c.connect() + c.create_stream() + c.command("publish", None, 5.0, stream_id=1),
        CommandError,
        "found float as stream key of publish",
    ),
    (lambda c: c.connect() + c.command("deleteStream", None), CommandError, "NoneType as stream id of deleteStream"),
    (lambda c: c.message(20, amf0.encode(1.0, 2.0)), CommandError, "starts with float and float"),
    (lambda c: c.message(20, amf0.encode("connect", "1")), CommandError, "starts with str and str"),
    (lambda c: c.message(20, b""), CommandError, "starts with NoneType"),
    (lambda c: c.message(20, b"\x02\x00"), AmfError, "ends early"),
    (lambda c: c.connect() + c.message(17, b"\x00\x11\x0a"), AmfError, "AMF3"),
    (lambda c: c.message(5, b"abc"), MessageError, "read 3 bytes of Window Acknowledgement Size, expected 4"),
    (lambda c: c.message(6, b""), MessageError, "read 0 bytes of Set Peer Bandwidth, expected 4"),
    (lambda c: c.connect("a" * 257), LimitError, "app of connect has 257 characters, at most 256"),
    (
        lambda c: c.connect() + c.create_stream() + c.publish_command("k" * 257),
        LimitError,
        "stream key of publish has 257 characters",
    ),
    (lambda c: c.connect() + c.create_stream() * 9, LimitError, "more than 8 streams created"),
    (lambda c: c.connect() + c.command("x", None) * 64, LimitError, "more than 64 commands without"),
    (lambda c: c.connect() + c.message(20, bytes(300_000)), LimitError, "data message of 300000 bytes, at most 262144"),
    (lambda c: c.message(9, bytes(600_000)), LimitError, r"message of 600000 bytes \(type 9\), at most 524288"),
    (lambda c: c.message(9, bytes(300_000)) * 2, LimitError, "without an accepted publish, at most 524288"),
    (lambda c: c.message(8, b"") * 8_192, LimitError, "without an accepted publish"),
]


@pytest.mark.parametrize(("make", "kind", "says"), VIOLATIONS)
def test_a_violation_is_refused_with_what_was_expected(
    make: Callable[[RtmpClient], bytes], kind: type[RtmpError], says: str
) -> None:
    session = Session(client=RtmpClient(compress=False)).greet()
    with pytest.raises(kind, match=says):
        session.send(make(session.client))
    assert session.server.state is State.FAILED


def test_rtmpe_is_refused_by_its_first_byte() -> None:
    with pytest.raises(HandshakeError, match="RTMPE"):
        Session().send(b"\x06")


def test_nested_aggregates_are_refused() -> None:
    session = Session().publish()
    with pytest.raises(MessageError, match="aggregate message inside"):
        session.send(session.client.aggregate(0, [(22, 0, b"")]))


def test_media_ahead_of_the_answer_is_limited() -> None:
    session = Session(limits=RtmpLimits(bytes_before_publish=20_000)).ask()
    with pytest.raises(LimitError, match="at most 20000 are allowed"):
        session.send(*(session.client.video(i, avc_frame(b"v" * 900)) for i in range(30)))


def test_aborted_messages_count_towards_what_may_come_before_a_publish() -> None:
    session = Session(limits=RtmpLimits(bytes_before_publish=20_000), client=RtmpClient(compress=False)).greet()
    client = session.client
    half = client.message_chunks(9, bytes(200), chunk_stream=6)[0]
    with pytest.raises(LimitError, match="at most 20000 are allowed"):
        session.send((half + client.abort(6)) * 200)


def test_once_accepted_large_messages_are_taken_and_after_the_end_no_more() -> None:
    session = Session().publish()
    client = session.client
    frame = avc_frame(bytes(2_000_000), keyframe=True)
    assert session.send(client.set_chunk_size(65_536), client.video(0, frame)) == [VideoReceived(0, frame)]
    session.send(client.unpublish())
    with pytest.raises(LimitError, match="at most 524288"):
        session.send(client.video(40, frame))


# Any split, any bytes.


def odd_stream() -> bytes:
    return b"".join(_odd_parts(RtmpClient(chunk_size=128)))


def _odd_parts(client: RtmpClient) -> Iterable[bytes]:
    """Make a publish that uses everything at once."""
    yield client.hello(flash_version=b"\x09\x00\x7c\x02") + client.c2() + client.publish()
    yield client.metadata({"width": 160.0, "height": 90.0})
    yield client.video(0xFFFFE0, avc_config()) + client.audio(0xFFFFE0, aac_config())
    client.extended_in_type_3 = False
    for index in range(6):
        yield client.video(0xFFFFF0 + 10 * index, avc_frame(bytes((index,)) * 300), chunk_stream=70)
        yield client.audio(0xFFFFF0 + 11 * index, aac_frame(b"a" * index)) + client.ping(index)
    yield client.set_chunk_size(777)
    yield client.aggregate(0x1000100, [(9, 5, avc_frame(b"v" * 900)), (8, 7, aac_frame(b"a" * 9))])
    yield client.message_chunks(9, bytes(900), chunk_stream=6)[0] + client.abort(6)
    yield client.audio(0x1000110, aac_frame(b"a")) + client.unpublish() + client.command("unknown", None)


def events_of(parts: Iterable[bytes], limits: RtmpLimits | None = None) -> tuple[list[Event], str]:
    """Feed a connection that accepts every publish; give its events and the error that ended them."""
    server = ServerConnection(limits=limits, epoch_ms=0, random_bytes=bytes(1528))
    events: list[Event] = []
    error = ""
    for part in parts:
        try:
            server.receive_data(part)
        except RtmpError as violation:
            error = str(violation)
        for event in server.events():
            events.append(event)
            if isinstance(event, PublishRequested):
                server.accept_publish()
        server.data_to_send()
        if error:
            break
    return events, error


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 2, 3, 127, 128, 129, 1536, 1537, 4096])
def test_any_size_of_pieces_gives_the_same_events(size: int) -> None:
    data = odd_stream()
    whole = events_of([data])
    assert whole[1] == ""
    assert len(whole[0]) == 2 + 1 + 2 + 12 + 2 + 1 + 1
    assert events_of(pieces(data, size)) == whole


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1 << 20), max_size=30))
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    data = odd_stream()
    edges = [0, *sorted(cut % len(data) for cut in cuts), len(data)]
    assert events_of(data[a:b] for a, b in itertools.pairwise(edges)) == events_of([data])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(3073, 1 << 20), st.integers(0, 255)), min_size=1, max_size=4), st.integers(1, 999)
)
def test_a_damaged_publish_gives_events_and_at_most_an_rtmp_error(damage: list[tuple[int, int]], size: int) -> None:
    wire = bytearray(odd_stream())
    for place, value in damage:
        wire[3073 + place % (len(wire) - 3073)] = value
    events, _ = events_of(pieces(bytes(wire), size))
    assert all(event.payload for event in events if isinstance(event, (AudioReceived, VideoReceived)))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2))
def test_any_bytes_at_any_stage_raise_nothing_but_rtmp_errors(data: bytes, stage: int) -> None:
    session = Session()
    if stage == 1:
        session.greet()
    elif stage == 2:
        session.publish()
    try:
        session.send(data)
    except RtmpError as error:
        assert session.server.state is State.FAILED, error  # noqa: PT017 - either outcome is right


def test_a_hostile_peer_cannot_make_a_connection_keep_more_than_the_limits() -> None:
    limits = RtmpLimits(bytes_before_publish=50_000, chunk_streams=8)
    session = Session(limits=limits).greet()
    client = RtmpClient(chunk_size=128, compress=False)
    sent = kept = 0
    for chunk_stream in itertools.cycle(range(3, 11)):
        try:
            for chunk in client.message_chunks(9, bytes(9_000), chunk_stream=chunk_stream)[:-1]:
                sent += len(chunk)
                session.server.receive_data(chunk)
                reader = session.server._reader
                kept = max(kept, len(reader._buffer) + sum(len(s.body) for s in reader._chunk_streams.values()))
        except LimitError:
            break
    assert 9_000 < kept <= limits.bytes_before_publish
    assert sent < 2 * limits.bytes_before_publish
