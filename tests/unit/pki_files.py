"""One fictive PKI for all tests of a run: making the RSA keys takes longer than most tests."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

from conformance.pki import Pki, make
from gateway.security import Cachet


@functools.cache
def pki() -> Pki:
    folder = Path(tempfile.mkdtemp(prefix="gateway-pki-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return make(folder)


@functools.cache
def cachet() -> Cachet:
    files = pki().cachet
    return Cachet.load(files.certificate.read_bytes(), files.key.read_bytes())
