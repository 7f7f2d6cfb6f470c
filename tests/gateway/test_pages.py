import gzip
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from gateway.pages import CONTENT_SECURITY_POLICY, IMMUTABLE, REVALIDATE, WEB_DIR, page_routes, read_site, web_file

DOCUMENTS = {
    "/": "index.html",
    "/watch/demo": "watch.html",
    "/studio": "studio.html",
    "/reset": "reset.html",
    "/account": "account.html",
}
VENDOR = "vendor/hls.js-1.7.4"


def client(directory: Path = WEB_DIR, host: str = "", rtmp_port: int = 1935) -> httpx.AsyncClient:
    app = Starlette(routes=page_routes(host, rtmp_port, directory))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")


class Markup(HTMLParser):
    """What a document refers to, and whatever the Content-Security-Policy would refuse."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.ids: set[str] = set()
        self.refused: list[str] = []
        self._in_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.addresses += [value for name in ("src", "href") if (value := values.get(name))]
        self.ids |= {value for name, value in attrs if name == "id" and value}
        self.refused += [f"{tag} {name}" for name in values if name == "style" or name.startswith("on")]
        self._in_script = tag in {"script", "style"}

    def handle_endtag(self, _tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.refused.append(f"inline {data.strip()[:40]}")


def reachable(entry: str) -> set[str]:
    """The modules that a document's module pulls in by static imports."""
    seen: set[str] = set()
    left = [entry]
    while left:
        name = left.pop()
        if name in seen:
            continue
        seen.add(name)
        left += re.findall(r'from "\./([^"]+)"', (WEB_DIR / "js" / name).read_text())
    return seen


@pytest.mark.parametrize(("path", "name"), DOCUMENTS.items())
async def test_a_document_has_nothing_inline_and_all_it_refers_to_is_there_for_ever(path: str, name: str) -> None:
    async with client() as http:
        page = await http.get(path)
        markup = Markup(page.text)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert page.headers["cache-control"] == REVALIDATE
        assert markup.refused == [], name
        own = [address for address in markup.addresses if address.startswith("/static/")]
        assert len(own) >= 3
        for address in own:
            answer = await http.get(address)
            assert (answer.status_code, answer.headers["cache-control"]) == (200, IMMUTABLE), address


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("index.html", "home.js"),
        ("watch.html", "watch.js"),
        ("studio.html", "studio.js"),
        ("reset.html", "reset.js"),
        ("account.html", "account_page.js"),
    ],
)
def test_every_element_that_the_modules_ask_for_is_in_the_document(name: str, entry: str) -> None:
    ids = Markup((WEB_DIR / name).read_text()).ids
    asked = {
        found
        for module in reachable(entry)
        for found in re.findall(r'byId\("([^"]+)"\)', (WEB_DIR / "js" / module).read_text())
    }
    assert asked - ids == set()


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("index.html", "home.js"),
        ("watch.html", "watch.js"),
        ("studio.html", "studio.js"),
        ("reset.html", "reset.js"),
        ("account.html", "account_page.js"),
    ],
)
def test_a_document_names_every_module_up_front_so_that_none_waits_for_another(name: str, entry: str) -> None:
    addresses = Markup((WEB_DIR / name).read_text()).addresses
    named = {address.removeprefix("/static/js/") for address in addresses if address.startswith("/static/js/")}
    assert named == reachable(entry)


def test_every_icon_that_is_named_is_drawn() -> None:
    drawn = set(re.findall(r"^  (\w+): \[", (WEB_DIR / "js/icons.js").read_text(), re.MULTILINE))
    named: set[str] = set()
    for path in WEB_DIR.rglob("*"):
        if path.suffix == ".html":
            named |= set(re.findall(r'data-icon="(\w+)"', path.read_text()))
        elif path.parent.name == "js":
            named |= set(re.findall(r'\bicon\("(\w+)"\)', path.read_text()))
    assert named - drawn == set()


def test_our_own_files_ask_nobody_else_and_never_make_markup_of_text() -> None:
    for path in WEB_DIR.rglob("*"):
        if path.is_dir() or "vendor" in path.parts:
            continue
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?://(?!\$)[\w.]+", text) == [], path
        assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text) == [], path


def test_the_vendored_player_is_the_published_file() -> None:
    readme = (WEB_DIR / VENDOR / "README.md").read_text()
    (published,) = re.findall(r"sha256 `([0-9a-f]{64})`", readme)
    assert hashlib.sha256((WEB_DIR / VENDOR / "hls.min.mjs").read_bytes()).hexdigest() == published
    assert "Apache License" in (WEB_DIR / VENDOR / "LICENSE").read_text()


async def test_a_file_is_sent_once_and_confirmed_afterwards() -> None:
    async with client() as http:
        first = await http.get("/static/js/feed.js")
        tag = first.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await http.get("/static/js/feed.js", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        other = await http.get("/static/js/feed.js", headers={"if-none-match": '"other"'})
        assert other.status_code == 200


async def test_gzip_has_its_own_tag_and_the_same_bytes() -> None:
    async with client() as http:
        plain = await http.get("/static/js/feed.js", headers={"accept-encoding": "identity"})
        packed = await http.get("/static/js/feed.js", headers={"accept-encoding": "br, gzip;q=0.8"})
        refused = await http.get("/static/js/feed.js", headers={"accept-encoding": "gzip;q=0"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content)
    assert packed.content == plain.content == refused.content == (WEB_DIR / "js/feed.js").read_bytes()
    assert "content-encoding" not in refused.headers
    assert packed.headers["etag"] != plain.headers["etag"] == refused.headers["etag"]
    assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"


async def test_a_head_request_gets_the_length_and_no_body() -> None:
    async with client() as http:
        whole = await http.get("/studio", headers={"accept-encoding": "identity"})
        head = await http.head("/studio", headers={"accept-encoding": "identity"})
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


async def test_only_the_release_that_is_here_is_immutable() -> None:
    release = read_site(WEB_DIR).release
    async with client() as http:
        named = await http.get(f"/static/{release}/css/base.css")
        plain = await http.get("/static/css/base.css")
        other = await http.get("/static/0123456789ab/css/base.css")
        vendored = await http.get(f"/static/{VENDOR}/hls.min.mjs")
    assert [answer.headers["cache-control"] for answer in (named, plain, other, vendored)] == [
        IMMUTABLE,
        REVALIDATE,
        REVALIDATE,
        IMMUTABLE,
    ]
    assert named.content == plain.content == other.content


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/js",
        "/static/nothing.js",
        "/static/watch.html",
        "/static/..%2fpages.py",
        "/static/%2e%2e/pages.py",
    ],
)
async def test_what_is_no_static_file_is_not_found(path: str) -> None:
    async with client() as http:
        answer = await http.get(path)
    assert answer.status_code == 404
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("name", ["A", "x", "-x", "a b", "a" * 41, "%3Cb%3E"])
async def test_the_watch_page_of_an_impossible_name_is_the_page_with_a_404(name: str) -> None:
    async with client() as http:
        answer = await http.get(f"/watch/{name}")
    assert answer.status_code == 404
    assert 'data-testid="stage"' in answer.text


async def test_the_studio_knows_where_to_push_and_the_values_are_escaped() -> None:
    async with client(host='live.example"><script>', rtmp_port=2935) as http:
        text = (await http.get("/studio")).text
    assert 'content="live.example&quot;&gt;&lt;script&gt;"' in text
    assert 'name="logcast-rtmp-port" content="2935"' in text
    assert "{{" not in text


async def test_another_state_of_the_files_is_another_release(tmp_path: Path) -> None:
    def write(body: str) -> None:
        (tmp_path / "js").mkdir(exist_ok=True)
        (tmp_path / "js/a.js").write_text(body)
        (tmp_path / "index.html").write_text('<script src="/static/js/a.js"></script>')

    seen = []
    for body in ("one", "two"):
        write(body)
        async with client(tmp_path) as http:
            page = await http.get("/")
            (address,) = re.findall(r'src="([^"]+)"', page.text)
            seen.append((page.headers["etag"], address, (await http.get(address)).text))
    assert [body for _, _, body in seen] == ["one", "two"]
    assert seen[0][0] != seen[1][0]
    assert seen[0][1] != seen[1][1]


def test_a_file_of_an_unknown_kind_is_refused_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"'movie\.avi'.*found '\.avi'"):
        web_file("movie.avi", b"")


@given(st.binary(max_size=2_000))
def test_the_gzip_form_unpacks_to_the_body_and_is_only_kept_when_smaller(body: bytes) -> None:
    file = web_file("any.js", body)
    if file.gzip_body is not None:
        assert len(file.gzip_body) < len(body)
        assert gzip.decompress(file.gzip_body) == body
    assert file == web_file("other.js", body)
