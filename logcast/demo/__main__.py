"""`python -m logcast.demo`: pushes to the RTMP address in LOGCAST_DEMO_TARGET until it is told to stop."""

import logging
import os
import signal
import sys
from threading import Event

from logcast.demo.push import push_for_ever
from logcast.serve import LOG_FORMAT


def main() -> None:
    """Push until SIGTERM or SIGINT."""
    target = os.environ.get("LOGCAST_DEMO_TARGET")
    if not target:
        sys.exit("set LOGCAST_DEMO_TARGET to an RTMP address with its stream key")
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    push_for_ever(target, stop)


if __name__ == "__main__":
    main()
