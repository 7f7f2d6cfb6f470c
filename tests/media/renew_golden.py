"""Write the golden boxes anew: `python tests/media/renew_golden.py`, after a change of bytes that is meant."""

import runpy
from pathlib import Path

here = Path(__file__).parent
for name, data in runpy.run_path(str(here / "test_cmaf.py"))["golden_files"]().items():
    (here / "golden" / name).write_bytes(data)
