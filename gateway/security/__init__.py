"""Who speaks to the DMP, and the seal on it: VIHF (SAML 2.0) assertion, XML signature, cachet certificate.

Bytes, keys and values in, elements out: no file, no clock, no network. Keys never leave `Cachet`.
"""

from gateway.security.cachet import Cachet, CachetError
from gateway.security.vihf import Role, VihfClaims, vihf

__all__ = ["Cachet", "CachetError", "Role", "VihfClaims", "vihf"]
