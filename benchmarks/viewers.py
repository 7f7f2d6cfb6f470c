"""Low-latency viewers directly on one gateway process, without an edge.

    python -m benchmarks.viewers --viewers 300

Real Kafka, a real gateway, parts of 200 ms at real pace; the viewers are processes of their own (`benchmarks/fanout`).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # also when run by its path

from benchmarks.fanout.rig import measure, parsed, show

if __name__ == "__main__":
    wanted = parsed(__doc__, viewers=300, edge=False)
    show(wanted, measure(wanted))
