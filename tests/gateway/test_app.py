"""The application around its routes: health, problems, videos."""

from dataclasses import replace

from starlette.requests import Request
from starlette.routing import Route

from gateway.videos import VideoDirectory
from schemas.ids import new_video_id
from tests.gateway.conftest import Gateway
from tests.gateway.tape import START_MS, video


async def test_it_is_alive_before_it_is_ready(gateway: Gateway) -> None:
    assert (await gateway.get("/healthz")).status_code == 200
    answer = await gateway.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["log"] is False


async def test_metrics_are_prometheus_s(gateway: Gateway) -> None:
    answer = await gateway.get("/metrics")
    assert "# TYPE logcast_gateway_folded_videos gauge" in answer.text


async def test_what_is_not_there_is_a_problem(gateway: Gateway) -> None:
    answer = await gateway.get("/nothing/here")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail", "reason"}


async def test_a_crash_is_a_problem_without_its_cause(gateway: Gateway) -> None:
    async def crash(_request: Request) -> None:
        raise RuntimeError("a secret")

    gateway.app.router.routes.insert(0, Route("/crash", crash))
    answer = await gateway.get("/crash")
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal")
    assert "secret" not in answer.text


def test_the_newest_video_is_the_channel_s_current_one() -> None:
    videos = VideoDirectory()
    old, new = (new_video_id(START_MS + n, bytes(7)) for n in range(2))
    videos.apply(video(video_id=new))
    videos.apply(video(video_id=old))
    current = videos.of_channel("ann")
    assert current is not None
    assert current.video_id == new
    assert videos.of_channel("bob") is None
    videos.apply(replace(video(video_id=new), title="Other"))
    assert [v.title for v in videos.current()] == ["Other"]


def test_videos_that_are_remembered_are_bounded_but_never_the_current_one() -> None:
    videos = VideoDirectory(max_videos=3)
    ids = [new_video_id(START_MS + n, bytes(7)) for n in range(6)]
    videos.apply(video(video_id=ids[0], channel="bob"))
    for video_id in ids[1:]:
        videos.apply(video(video_id=video_id))
    assert len(videos) == 3
    assert videos.get(ids[0]) is not None
    assert videos.get(ids[1]) is None
    assert videos.get(ids[5]) is not None
