"""`logcast link` and `logcast edge rotate-key`."""

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest
from click.testing import CliRunner

from logcast.cli import cli
from logcast.commands.link import UNITS, Duration
from logcast.errors import LogcastError
from stores.link_keys import read_link_keys

VIDEO = "0123456789abcdefghjk"


@pytest.fixture
def asked() -> Iterator[tuple[str, list[tuple[str, str, dict[str, object]]]]]:
    """A server's address, and what it is asked: path, token, body."""
    seen: list[tuple[str, str, dict[str, object]]] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((self.path, self.headers["authorization"], body))
            known = "nobody" not in self.path
            values = (
                {"page": "/s/T/watch/x", "hls": "/s/T/h", "dash": "/s/T/d"}
                if known
                else {"detail": "no", "reason": "no_video"}
            )
            data = orjson.dumps(values)
            self.send_response(201 if known else 404)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def test_links_are_asked_of_the_gateway_and_printed_whole(
    asked: tuple[str, list[tuple[str, str, dict[str, object]]]], tmp_path: Path
) -> None:
    server, seen = asked
    options = ["--server", server, "--key", "lc_key", "--data", str(tmp_path)]
    shown = CliRunner().invoke(cli, ["link", VIDEO, "--for", "30m", "--tag", "ann", *options])
    assert shown.output == f"page  {server}/s/T/watch/x\nhls   {server}/s/T/h\ndash  {server}/s/T/d\n"
    CliRunner().invoke(cli, ["link", "demo", *options])
    assert seen == [
        (f"/v1/videos/{VIDEO}/links", "Bearer lc_key", {"expires_s": 1800, "tag": "ann"}),
        ("/v1/channels/demo/links", "Bearer lc_key", {"expires_s": 7200, "tag": "-"}),
    ]
    refused = CliRunner().invoke(cli, ["link", "nobody", *options])
    assert isinstance(refused.exception, LogcastError)
    assert "no link: no (no_video)" in str(refused.exception)


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("30m", 1800), ("2h", 7200), ("7d", 604_800)])
def test_a_time_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["2", "h", "-1h", "1.5h", "1w", ""])
def test_another_time_is_refused(text: str, tmp_path: Path) -> None:
    shown = CliRunner().invoke(cli, ["link", VIDEO, "--for", text, "--data", str(tmp_path)])
    assert shown.exit_code == 2
    assert "expected 90s, 30m, 2h or 7d" in shown.output
    assert set(UNITS) == set("smhd")


def test_a_new_key_signs_and_the_last_ones_stay(tmp_path: Path, make_settings: Callable[..., object]) -> None:
    for said in ("k1 signs", "k2 signs from now on; k1 still"):
        assert said in CliRunner().invoke(cli, ["edge", "rotate-key", "--data", str(tmp_path)]).output
    assert [name for name, _ in read_link_keys(tmp_path / "keys" / "links.keys")] == ["k2", "k1"]
