"""Gateway for medical imaging reports: HL7 v2 and FHIR in; CDA R2, DMP, MSSanté and image pointers out."""

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

__version__ = "0.1.0"


def compiled() -> bool:
    """Whether this Python runs the hot path as extension modules (a build of `make compiled`)."""
    folder = Path(__file__).parent / "mapping"
    return any((folder / f"locator{suffix}").exists() for suffix in EXTENSION_SUFFIXES)


def build() -> str:
    """`0.1.0, compiled` or `0.1.0, pure Python`."""
    return f"{__version__}, {'compiled' if compiled() else 'pure Python'}"
