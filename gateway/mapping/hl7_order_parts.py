"""What an order says beside its numbers, people and acts: status, priority, clinical context."""

from gateway.hl7v2 import Base64Error
from gateway.mapping.finish_order import OrderParts
from gateway.mapping.hl7_reader import Reader
from gateway.mapping.locator import Found
from gateway.model.imaging import Quantity
from gateway.model.order import OrderStatus

_S = OrderStatus

CONTROLS: dict[str, OrderStatus] = {
    **dict.fromkeys(("NW", "RO", "XO", "XX", "XR", "PA", "CH", "RP", "SN", "NA", "RL", "HD"), _S.REQUESTED),
    **dict.fromkeys(("OK", "SC"), _S.ACCEPTED),
    **dict.fromkeys(("CA", "DC", "CR", "DR", "OD", "HR"), _S.CANCELLED),
    **dict.fromkeys(("UA", "OC"), _S.DECLINED),
    "SR": _S.COMPLETED,
}
"""ORC-1 (HL7 table 0119) → status where ORC-5 says nothing. OC and OK answer a request of téléradiologie;
SR tells of an exam that was done (flux 4)."""
STATES: dict[str, OrderStatus] = {
    "SC": _S.SCHEDULED,
    "IP": _S.IN_PROGRESS,
    "A": _S.IN_PROGRESS,
    "CM": _S.COMPLETED,
    "CA": _S.CANCELLED,
    "DC": _S.CANCELLED,
}
"""ORC-5 (HL7 table 0038); IHE RAD sends the pairs NW_SC, NW_IP, CA_CA, DC_CA, XO_SC, XO_CM (§4.2)."""


def order_status(reader: Reader) -> tuple[OrderStatus, str]:
    """(status, ORC-1). A withdrawal by ORC-1 wins; else ORC-5, when it is there, is the more precise."""
    control, state = reader.find("request.control"), reader.find("request.state")
    asked = control.value.upper() if control is not None else ""
    if control is not None:
        reader.trail.source("status", control.location)
        if asked not in CONTROLS:
            reader.trail.at("CODE-UNKNOWN", control.location, f"order control {asked[:4]}")
    else:
        reader.trail.at("ORDER-CONTROL-MISSING", "ORC-1")
    status = CONTROLS.get(asked, _S.REQUESTED)
    if state is not None and status.alive and (told := STATES.get(state.value.upper())) is not None:
        reader.trail.source("status", state.location)
        return told, asked
    return status, asked


def parts(reader: Reader, status: OrderStatus, control: str) -> OrderParts:
    return OrderParts(
        status=status,
        control=control,
        priority=reader.text("priority", "request.priority"),
        question=_text(reader, "question", "request.question"),
        history=_text(reader, "history", "request.history"),
        cancellation=reader.text("cancellation", "request.cancellation"),
        protocol=_text(reader, "protocol", "request.protocol"),
        height=_quantity(reader, "height"),
        weight=_quantity(reader, "weight"),
        said_at=reader.said_at("request.said_at"),
    )


def _text(reader: Reader, path: str, name: str) -> str:
    """A narrative value: FT, TX, or ED with Base64 (téléradiologie flux 3); lines by LF."""
    every = reader.find_all(f"{name}")
    lines: list[str] = []
    for found in every:
        reader.mark(found.segment, *((2, 3, 8, 11) if found.segment.name == "OBX" else (4,)))
        reader.trail.source(path, found.location)
        lines.append(_decoded(reader, found))
    if not every and (embedded := _embedded(reader, name)):
        reader.trail.source(path, embedded.location)
        lines.append(_decoded(reader, embedded))
    return "\n".join(line for line in lines if line)


def _embedded(reader: Reader, name: str) -> Found | None:
    """An ED has nothing in its first component: what a locator of OBX-5 looks at."""
    for path in reader.profile.locators[name].paths:
        if path.segment != "OBX" or path.field != 5:
            continue
        for found in path.of_component(5).matches(reader.scope):
            if found.segment.value(2).strip() == "ED":
                reader.mark(found.segment, 2, 3, 5, 11)
                return found
    return None


def _decoded(reader: Reader, found: Found) -> str:
    segment = found.segment
    if segment.name != "OBX" or segment.value(5, 1, 4).strip().upper() != "BASE64":
        return segment.text(found.field).strip()
    try:
        return segment.binary(5).decode("utf-8", "replace").strip()
    except Base64Error as wrong:
        reader.trail.at("ORDER-TEXT-UNREADABLE", wrong.finding.location, wrong.finding.detail)
        return ""


def _quantity(reader: Reader, path: str) -> Quantity | None:
    found = reader.find(f"request.{path}")
    if found is None:
        return None
    reader.mark(found.segment, *((2, 3, 6, 11) if found.segment.name == "OBX" else ()))
    reader.trail.source(path, found.location)
    return Quantity(value=found.value.replace(",", "."), unit=found.segment.value(6).strip())
