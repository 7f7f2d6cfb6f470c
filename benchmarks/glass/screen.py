"""From the camera to the screen of a real Chromium: the stamp is read from the pictures that the page presents."""

from dataclasses import dataclass

from playwright.async_api import async_playwright

from benchmarks.glass import stamp
from tests.e2e.watch_page import CHROMIUM, FLAGS, WatchPage

SETTLE_S = 8.0
SETTLE_DEADLINE_S = 60.0
SAMPLE_EVERY_MS = 100

# Pictures are drawn small, and the middle of each block is looked at; the numbers are those of stamp.py.
_SAMPLE = """async ([seconds, everyMs, columns, rows, left, top, width, height, threshold]) => {
    const video = document.querySelector("video");
    const canvas = new OffscreenCanvas(320, 180);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const samples = [];
    const end = performance.now() + seconds * 1000;
    let next = 0;
    const bits = () => {
        context.drawImage(video, 0, 0, canvas.width, canvas.height);
        const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
        const found = [];
        for (let row = 0; row < rows; row += 1) {
            for (let column = 0; column < columns; column += 1) {
                const y = Math.floor((top + (row + 0.5) * height / rows) * canvas.height);
                const x = Math.floor((left + (column + 0.5) * width / columns) * canvas.width);
                found.push(data[4 * (y * canvas.width + x) + 1] > threshold);
            }
        }
        return found;
    };
    await new Promise((done) => {
        const presented = () => {
            const wall = Date.now();
            if (performance.now() >= next) {
                next = performance.now() + everyMs;
                samples.push([wall, bits()]);
            }
            if (performance.now() < end) video.requestVideoFrameCallback(presented);
            else done();
        };
        video.requestVideoFrameCallback(presented);
        setTimeout(done, seconds * 1000 + 10000);
    });
    return samples;
}"""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a viewer saw: latency of each sampled picture, how often it stood still, and in which height it ended."""

    latencies_ms: list[float]
    unreadable: int
    stalls: int
    height: int
    seconds: float


async def watch(url: str, seconds: float) -> Screen:
    """Watch a page for some seconds."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            page = WatchPage(await chromium.new_page(viewport={"width": 1280, "height": 800}))
            await page.open(url)
            before = await page.plays_on(SETTLE_S, SETTLE_DEADLINE_S)
            layout = [stamp.COLUMNS, stamp.ROWS, stamp.LEFT, stamp.TOP, stamp.WIDTH, stamp.HEIGHT, stamp.THRESHOLD]
            samples = await page.page.evaluate(_SAMPLE, [seconds, SAMPLE_EVERY_MS, *layout])
            after = await page.now()
        finally:
            await chromium.close()
    read = [(wall_ms, stamp.decode(bits)) for wall_ms, bits in samples]
    latencies = [wall_ms - stamped for wall_ms, stamped in read if stamped is not None]
    return Screen(latencies, len(read) - len(latencies), after.stalls - before.stalls, after.height, seconds)
