"""Write the golden playlists anew: `python -m tests.media.renew_golden_playlists`, after a change that is meant."""

from tests.media.test_hls import GOLDEN, golden_playlists
from tests.media.test_hls_multivariant import golden_multivariants

GOLDEN.mkdir(parents=True, exist_ok=True)
for name, text in (golden_playlists() | golden_multivariants()).items():
    (GOLDEN / name).write_text(text)
