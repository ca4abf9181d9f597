"""What every level of tests may ask for; nothing starts before a test does."""

from __future__ import annotations

import sys
from pathlib import Path

# Test folders are no packages (import mode importlib), so the module beside this file needs its folder named.
sys.path.insert(0, str(Path(__file__).parent))

from controlplane_fixture import control_plane, namespace

__all__ = ["control_plane", "namespace"]
