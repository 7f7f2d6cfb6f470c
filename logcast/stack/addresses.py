"""Where the reader goes: the page, the address to push to."""

from stores.settings import Settings


def page_address(settings: Settings, path: str = "") -> str:
    """The page, or a path of it."""
    return f"http://{settings.public_host}:{settings.http_port}/{path}"


def push_address(settings: Settings, key: str = "") -> str:
    """Where to push to by RTMP; with a key the whole address, without it what OBS calls the server."""
    return f"rtmp://{settings.public_host}:{settings.rtmp_port}/live" + (f"/{key}" if key else "")


def welcome(settings: Settings, key: str, *, demo: bool) -> str:
    """What the reader needs once everything is ready: where to look, where to push to, with which key."""
    encode = "-c:v libx264 -preset veryfast -tune zerolatency -g 60 -c:a aac"
    lines = [
        *([f"test picture  {page_address(settings, 'watch/demo')}"] if demo else []),
        f"page          {page_address(settings)}",
        f"push to       {push_address(settings)}",
        f"stream key    {key}",
        f"for example   ffmpeg -re -i FILE {encode} -f flv {push_address(settings, key)}",
        f"then watch    {page_address(settings, 'watch/my-channel')}",
        f"logs          {settings.data_dir / 'logs'}",
        f"stop          Ctrl-C, or: logcast down --data {settings.data_dir}",
    ]
    return "\n".join(f"  {line}" for line in lines)
