"""Low-latency viewers through the nginx edge, and what that leaves to the gateway.

    python -m benchmarks.edge --viewers 1000

Real Kafka, a real gateway, nginx with one worker, parts of 200 ms at real pace; the viewers are processes of their own.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also when run by its path

from benchmarks.fanout.rig import measure, parsed, show

if __name__ == "__main__":
    wanted = parsed(__doc__, viewers=1000, edge=True)
    show(wanted, measure(wanted))
