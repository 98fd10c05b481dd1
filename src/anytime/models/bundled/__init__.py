"""The models that ship with the package, one directory each. `anytime train NAME` makes each of them again.

To keep the package small they are stored in half precision: `save(load("runs/NAME"), BUNDLED / NAME, torch.float16)`.
"""

from __future__ import annotations

from pathlib import Path

BUNDLED = Path(__file__).parent


def bundled_models() -> list[str]:
    """Names that `anytime.load` takes without a download."""
    return sorted(path.parent.name for path in BUNDLED.glob("*/config.yaml"))
