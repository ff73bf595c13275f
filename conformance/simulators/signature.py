"""Verifying one enveloped XML signature (XMLDSig, exclusive C14N) with lxml and cryptography only."""

import base64
import hashlib
from binascii import Error as Base64Error
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from conformance.xml import text_of

DS = "http://www.w3.org/2000/09/xmldsig#"
EXC_C14N = "http://www.w3.org/2001/10/xml-exc-c14n#"
ENVELOPED = f"{DS}enveloped-signature"
_D = f"{{{DS}}}"
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
}
SIGNATURES: dict[str, hashes.HashAlgorithm] = {
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256": hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
}


class SignatureRefusedError(ValueError):
    """Missing, of an algorithm that is not taken, or false. The text says which, without content."""


def verify(signed: etree._Element, signature: etree._Element) -> x509.Certificate:
    """The certificate whose key signed the whole of `signed`, with `signature` as its direct child.

    Exactly one reference is taken, to `#ID` of `signed`, with enveloped-signature then exclusive C14N.
    Raises SignatureRefusedError. Trust in the certificate is the caller's question.
    """
    info = _one(signature, "SignedInfo")
    _need(_one(info, "CanonicalizationMethod").get("Algorithm") == EXC_C14N, "SignedInfo is not in exc-c14n")
    references = info.findall(f"{_D}Reference")
    _need(len(references) == 1, f"{len(references)} references instead of one")
    reference = references[0]
    _need(reference.get("URI") == f"#{signed.get('ID')}", "the reference does not name the signed element")
    transforms = reference.findall(f"{_D}Transforms/{_D}Transform")
    _need(
        [transform.get("Algorithm") for transform in transforms] == [ENVELOPED, EXC_C14N],
        "the transforms are not enveloped-signature and exc-c14n",
    )
    digest_name = DIGESTS.get(_one(reference, "DigestMethod").get("Algorithm", ""))
    _need(digest_name is not None, "the digest algorithm is not taken")
    content = _canonical(_without(signed, signature), _prefixes(transforms[1]))
    found = hashlib.new(digest_name or "", content).digest()
    _need(found == _bytes(_one(reference, "DigestValue")), "the content was changed after signing")
    return _signer(signature, info)


def _signer(signature: etree._Element, info: etree._Element) -> x509.Certificate:
    algorithm = SIGNATURES.get(_one(info, "SignatureMethod").get("Algorithm", ""))
    path = f"{_D}KeyInfo/{_D}X509Data/{_D}X509Certificate"
    holder = signature.find(path)
    if algorithm is None or holder is None:
        raise SignatureRefusedError("the signature algorithm is not taken, or no X509Certificate is given")
    try:
        certificate = _certificate(_bytes(holder))
    except ValueError:
        raise SignatureRefusedError("the X509Certificate cannot be read") from None
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise SignatureRefusedError("the key of the certificate is not RSA")
    method = _one(info, "CanonicalizationMethod")
    signed_bytes = _canonical(_detached(info), _prefixes(method))
    value = _bytes(_one(signature, "SignatureValue"))
    try:
        key.verify(value, signed_bytes, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        raise SignatureRefusedError("the signature value does not fit the certificate") from None
    return certificate


@lru_cache(64)
def _certificate(data: bytes) -> x509.Certificate:
    """A sender signs with the same one again and again. Raises ValueError."""
    return x509.load_der_x509_certificate(data)


def _detached(element: etree._Element) -> etree._Element:
    """A copy as a document of its own, with every namespace declaration that was in scope.

    lxml's canonical form of a subtree forgets declarations of ancestors, which InclusiveNamespaces needs.
    """
    return etree.fromstring(
        etree.tostring(element, with_tail=False), etree.XMLParser(resolve_entities=False, huge_tree=True)
    )


def _without(signed: etree._Element, signature: etree._Element) -> etree._Element:
    place = signed.index(signature)
    copy = _detached(signed)
    inner = copy[place]
    before = inner.getprevious()
    # Only the element goes; the white space after it belongs to the signed content.
    if inner.tail and before is not None:
        before.tail = (before.tail or "") + inner.tail
    elif inner.tail:
        copy.text = (copy.text or "") + inner.tail
    copy.remove(inner)
    return copy


def _canonical(element: etree._Element, prefixes: list[str]) -> bytes:
    return etree.tostring(
        element, method="c14n", exclusive=True, with_comments=False, inclusive_ns_prefixes=prefixes or None
    )


def _prefixes(transform: etree._Element) -> list[str]:
    inclusive = transform.find(f"{{{EXC_C14N}}}InclusiveNamespaces")
    return [] if inclusive is None else inclusive.get("PrefixList", "").split()


def _one(parent: etree._Element, name: str) -> etree._Element:
    found = parent.findall(f"{_D}{name}")
    if len(found) != 1:
        raise SignatureRefusedError(f"{len(found)} elements {name} instead of one")
    return found[0]


def _bytes(element: etree._Element) -> bytes:
    try:
        return base64.b64decode("".join(text_of(element).split()), validate=True)
    except (Base64Error, ValueError):
        raise SignatureRefusedError(f"{etree.QName(element).localname} is not Base64") from None


def _need(truth: bool, otherwise: str) -> None:
    if not truth:
        raise SignatureRefusedError(otherwise)
