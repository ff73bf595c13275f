"""Whether two records can be of one person: names, birth date, sex, matricule, each where both state it."""

import unicodedata

from gateway.model.people import Patient


def disagreements(one: Patient, other: Patient) -> tuple[str, ...]:
    """Canonical names of what both state and say differently; () when nothing speaks against one person.

    A birth name also meets a used name, and one given name of several is enough: RIS feeds mix them. Accents,
    case, hyphens and apostrophes do not count; a partial birth date meets the whole one.
    """
    checks = (
        ("ins", _differ(_ins(one), _ins(other))),
        ("name", _differ(_families(one), _families(other))),
        ("given name", _differ(_given(one), _given(other))),
        ("birth date", not _dates_meet(one.birth_date, other.birth_date)),
        ("sex", one.sex is not None and other.sex is not None and one.sex is not other.sex),
    )
    return tuple(name for name, against in checks if against)


def recognisable(patient: Patient) -> bool:
    """Names and birth date are stated: without them nothing can be compared."""
    return bool(_families(patient) and _given(patient) and patient.birth_date)


def fold(text: str) -> str:
    """Letters and digits only, without accents and case."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in plain if letter.isalnum())


def _families(patient: Patient) -> frozenset[str]:
    return _set(patient.birth_family, patient.used_family)


def _given(patient: Patient) -> frozenset[str]:
    """Each given name, and the lists as a whole: a composed name may stand with or without its hyphen."""
    names = (patient.birth_given, patient.used_given, patient.birth_given_names)
    return _set(*names, *(part for name in names for part in name.split()))


def _ins(patient: Patient) -> frozenset[str]:
    return _set(patient.ins.value) if patient.ins is not None else frozenset()


def _set(*texts: str) -> frozenset[str]:
    return frozenset(folded for text in texts if text and (folded := fold(text)))


def _differ(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and not one & other


def _dates_meet(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
