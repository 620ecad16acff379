"""Loaded by every Python process whose PYTHONPATH names this folder: installs the audit hook there too."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if "PLATFORMCTL_AUDIT" in os.environ:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import process_audit  # type: ignore[import-not-found,unused-ignore]

    process_audit.install(Path(os.environ["PLATFORMCTL_AUDIT"]))
