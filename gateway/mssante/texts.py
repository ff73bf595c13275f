"""What a mail says, in French, to a professional or the patient; for a new, replacing or withdrawn report."""

from gateway.cda import CdaHeader
from gateway.model.site import Site
from gateway.model.submission import Action
from gateway.mssante.naming import french_date

# Both hold for a reader who never got an earlier version, too (first mail after an announcement).
REPLACEMENT = "Ce compte rendu annule et remplace toute version antérieure."
WITHDRAWAL = "Ce compte rendu est annulé : merci de ne plus en tenir compte."
NOTICES: dict[Action, str] = {Action.CREATE: "", Action.REPLACE: REPLACEMENT, Action.DELETE: WITHDRAWAL}
"""The body states a replacement or a cancellation (REQ-55; volet Transmission 2.1, examples MSSanté)."""

PROFESSIONAL = """\
Bonjour,

Veuillez trouver ci-joint le document « {title} » concernant :

{patient}
{exam}
{notice}
{reading}

{signature}
"""

PATIENT = """\
Bonjour,

Votre document « {title} » est joint à ce message (fichier PDF).

{exam}
{notice}
Pour toute question, adressez-vous au médecin qui a demandé l'examen ou au centre qui l'a réalisé.
{no_reply}
{signature}
"""

PROFESSIONAL_WITHDRAWAL = """\
Bonjour,

Le document « {title} » que nous vous avons adressé est annulé : merci de ne plus en tenir compte.
Il concerne :

{patient}
{exam}

Il est rappelé en pièce jointe{withdrawal}.

{signature}
"""

PATIENT_WITHDRAWAL = """\
Bonjour,

Le document « {title} » que nous vous avons adressé est annulé : merci de ne plus en tenir compte.
Il est rappelé en pièce jointe (fichier PDF).

{exam}

Pour toute question, adressez-vous au médecin qui a demandé l'examen ou au centre qui l'a réalisé.
{no_reply}
{signature}
"""

READING = {
    True: "L'archive IHE_XDM.ZIP est destinée à votre logiciel métier ; le fichier PDF se lit directement.",
    False: "Le fichier PDF se lit directement ; ce message ne comporte pas d'archive IHE_XDM.ZIP.",
}
"""With an archive, and without (degraded mode)."""
WITHDRAWAL_READING = {
    True: " ; l'archive IHE_XDM.ZIP indique son annulation à votre logiciel métier",
    False: "",
}
NO_REPLY = "\nMerci de ne pas répondre à ce message.\n"


def professional(
    header: CdaHeader, site: Site, action: Action, own: str = "", *, archive: bool = True
) -> str:
    """The text to a professional; `own` (CORPSMAIL_PS) is kept as sent, the notice is added where needed."""
    notice = NOTICES[action]
    if own:
        return _with_notice(own, notice)
    template = PROFESSIONAL_WITHDRAWAL if action is Action.DELETE else PROFESSIONAL
    return _tidy(
        template.format(
            title=header.title or header.code.display,
            patient=_patient(header),
            exam=_exam(header),
            notice=f"\n{notice}\n" if notice else "",
            reading=READING[archive],
            withdrawal=WITHDRAWAL_READING[archive],
            signature=_signature(site),
        )
    )


def patient(header: CdaHeader, site: Site, action: Action, own: str = "", *, may_reply: bool = True) -> str:
    """The text to the patient; `own` is CORPSMAIL_PATIENT."""
    notice = NOTICES[action]
    if own:
        return _with_notice(own, notice)
    template = PATIENT_WITHDRAWAL if action is Action.DELETE else PATIENT
    return _tidy(
        template.format(
            title=header.title or header.code.display,
            exam=_exam(header),
            notice=f"\n{notice}\n" if notice else "",
            no_reply="" if may_reply else NO_REPLY,
            signature=_signature(site),
        )
    )


def _with_notice(own: str, notice: str) -> str:
    text = own.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    return f"{text}\n\n{notice}\n" if notice else f"{text}\n"


def _patient(header: CdaHeader) -> str:
    who = header.patient
    given = who.birth_given or who.birth_given_names.partition(" ")[0]
    names = " ".join(part for part in (who.birth_family, given) if part)
    born = french_date(who.birth_date)
    return f"  {names}, date de naissance {born}" if born else f"  {names}"


def _exam(header: CdaHeader) -> str:
    """The principal act and its day, when the header says it."""
    act = header.principal
    if act is None or len(act.low) < 8:
        return ""
    day = f"{act.low[6:8]}/{act.low[4:6]}/{act.low[:4]}"
    name = act.ccam.display if act.ccam is not None and act.ccam.display else ""
    name = name or (act.code.display if act.code is not None else "")
    return f"  Examen du {day} : {name}" if name else f"  Examen du {day}"


def _signature(site: Site) -> str:
    phones = [
        one.value.removeprefix("tel:") for one in site.structure.telecoms if one.value.startswith("tel:")
    ]
    lines = [site.structure.name or site.mail.display_name]
    if phones:
        lines.append(f"Téléphone : {phones[0]}")
    return "\n".join(line for line in lines if line)


def _tidy(text: str) -> str:
    """At most one blank line in a row."""
    kept: list[str] = []
    for line in text.split("\n"):
        if line.strip() or (kept and kept[-1]):
            kept.append(line.rstrip())
    return "\n".join(kept).rstrip("\n") + "\n"
