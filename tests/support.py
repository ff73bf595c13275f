"""Where the public reference material lies, and the marks that skip a test visibly without it."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
KIT = SHARED / "kit" / "cisis"
XDS_SCHEMAS = SHARED / "kit" / "xds"
SAMPLES = SHARED / "samples"
FIXTURES = ROOT / "tests" / "fixtures"
PATIENCE = 60.0
"""Seconds for what must come, however loaded the machine is."""

needs_samples = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"public sample messages not found under {SAMPLES.name}/ (set SHARED)"
)
needs_kit = pytest.mark.skipif(
    not KIT.is_dir(), reason="official ANS validation kit not found (set SHARED; see README, official kit)"
)
