"""What several sections of an act show alike: its sites, and lines of product tables."""

from gateway.cda.narrative import Cell
from gateway.cda.vocabulary_n3 import REGION_SITES
from gateway.model.imaging import AdministeredProduct
from gateway.model.report import Act
from gateway.model.terms import Code
from gateway.model.wording import quantity


def sites_of(act: Act) -> tuple[Code, ...]:
    """Anatomic sites of JDV 5.694: those of the act, else of its regions; () when neither gives one."""
    if act.sites:
        return act.sites
    found = (item for region in act.regions for item in REGION_SITES.get(region.code, ()))
    return tuple(dict.fromkeys(found))


def product_row(item: AdministeredProduct, target: str) -> tuple[Cell, ...]:
    """A line of a product table: `target` names the product, `target-commentaire` its comment."""
    codes = "\n".join(f"{code.display} [{code.code}]" if code.display else code.code for code in item.codes)
    route = (item.route.display or item.route.code) if item.route else ""
    return (
        Cell(item.label, target),
        Cell(codes),
        Cell(quantity(item.quantity)),
        Cell(route),
        Cell(item.lot),
        Cell(item.comment, f"{target}-commentaire" if item.comment else ""),
    )
