"""`logcast captions`, against a server that remembers what it is asked."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import orjson
import pytest
from click.testing import CliRunner

from logcast.cli import cli
from logcast.errors import LogcastError

VIDEO = "0123456789abcdefghjk"
ROW = {"language": "en", "label": "English", "kind": "captions", "bytes": 1234}
Asked = tuple[str, str, str | None, bytes]


@pytest.fixture
def server() -> Iterator[tuple[str, list[Asked]]]:
    """Its address, and what it was asked: method, path, token, body."""
    seen: list[Asked] = []

    class Answering(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            seen.append((self.command, self.path, self.headers["authorization"], body))
            if b"bad" in body:
                self._send(422, {"detail": "line 3: expected a timing", "reason": "bad_captions"})
            elif self.command == "DELETE":
                self._send(204, None)
            else:
                self._send(200, ROW if self.command == "PUT" else {"captions": [ROW]})

        do_GET = do_PUT = do_DELETE = answer  # noqa: N815  (http.server's names)

        def _send(self, status: int, values: object) -> None:
            data = orjson.dumps(values) if values is not None else b""
            self.send_response(status)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its signature)
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as listening:
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}", seen
        listening.shutdown()
        thread.join()


def test_a_file_is_given_listed_and_taken_away(server: tuple[str, list[Asked]], tmp_path: Path) -> None:
    address, seen = server
    file = tmp_path / "talk.srt"
    file.write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\nHi\n")
    where = ["--server", address, "--key", "lc_key", "--data", str(tmp_path)]
    run = CliRunner().invoke
    added = run(cli, ["captions", "add", VIDEO, str(file), "--language", "en", "--label", "English", *where])
    assert added.output == f"captions en (English) of {VIDEO}: 1,234 bytes\n"
    assert "English" in run(cli, ["captions", "list", VIDEO, *where]).output
    assert run(cli, ["captions", "remove", VIDEO, "--language", "en", *where]).exit_code == 0
    path = f"/v1/videos/{VIDEO}/captions"
    assert seen == [
        ("PUT", f"{path}/en?kind=captions&label=English", "Bearer lc_key", file.read_bytes()),
        ("GET", path, "Bearer lc_key", b""),
        ("DELETE", f"{path}/en", "Bearer lc_key", b""),
    ]


def test_a_refusal_is_said_with_its_reason(server: tuple[str, list[Asked]], tmp_path: Path) -> None:
    file = tmp_path / "bad.vtt"
    file.write_text("bad")
    options = ["--language", "en", "--server", server[0], "--key", "k", "--data", str(tmp_path)]
    failed = CliRunner().invoke(cli, ["captions", "add", VIDEO, str(file), *options])
    assert isinstance(failed.exception, LogcastError)
    assert str(failed.exception) == "line 3: expected a timing (bad_captions)"
