"""What was measured of the networks whose weights come with srkit.

`tests/models/test_footprints.py` measures them again, and says what has to stand here.
"""

from __future__ import annotations

from collections.abc import Mapping

from srkit.card import Footprint

# By name of the model and scale.
FOOTPRINTS: Mapping[tuple[str, int], Footprint] = {
    ("srresnet", 2): Footprint(1401749, tile=2884.0, column=102558.4, pixel=1461.6),
    ("srresnet", 4): Footprint(1549462, tile=11485.6, column=167579.2, pixel=1462.4),
    ("span", 2): Footprint(410700, tile=2167.2, column=23959.2, pixel=2248.8),
    ("span", 4): Footprint(426288, tile=2167.2, column=32829.6, pixel=2248.8),
    ("srgan", 4): Footprint(1549462, tile=11485.6, column=168068.8, pixel=1476.8),
    ("photo-2025", 2): Footprint(1401749, tile=2867.2, column=98336.0, pixel=1433.6),
    ("photo-2025", 4): Footprint(1549462, tile=11468.8, column=150304.0, pixel=1433.6),
    ("photo", 2): Footprint(1044556, tile=733.6, column=26475.2, pixel=740.8),
    ("photo", 4): Footprint(1065328, tile=1344.0, column=40904.0, pixel=1387.2),
    ("espcn", 2): Footprint(21284, tile=716.8, column=1097.6, pixel=716.8),
    ("espcn", 3): Footprint(22729, tile=716.8, column=1097.6, pixel=716.8),
    ("espcn", 4): Footprint(24752, tile=716.8, column=1097.6, pixel=716.8),
    ("fsrcnn", 2): Footprint(12809, tile=627.2, column=672.0, pixel=627.2),
    ("fsrcnn", 3): Footprint(12809, tile=627.2, column=694.4, pixel=627.2),
    ("fsrcnn", 4): Footprint(12809, tile=627.2, column=694.4, pixel=627.2),
    ("neural-enhance", 2): Footprint(314883, tile=2867.2, column=52785.6, pixel=716.8),
    ("neural-enhance-repair", 1): Footprint(65155, tile=358.4, column=3326.4, pixel=358.4),
}
