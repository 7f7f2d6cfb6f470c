"""Whoever runs the AV1 encoder, root too, stays at ordinary priority, and so does all that it starts."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os, subprocess, sys
from fractions import Fraction
import av
from media.realtime import give_up_realtime
give_up_realtime()
context = av.CodecContext.create("libsvtav1", "w")
context.width, context.height, context.pix_fmt, context.time_base = 64, 64, "yuv420p", Fraction(1, 25)
context.open()
policies = {os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}
print(len(policies), policies == {os.SCHED_OTHER}, flush=True)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="real-time priority is Linux's")
def test_the_av1_encoder_runs_at_ordinary_priority() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, env=os.environ, check=False
    )
    assert done.stdout.split() == ["1", "True"], done.stdout + done.stderr[-2000:]
