"""One module per destination: `prepare` turns a delivery job into a request, complete and checked.

A request is a value; only its connector's `send` touches the network.
"""

from gateway.model.findings import Finding


class PrepareError(Exception):
    """This delivery cannot be made, now or later, without somebody mending what `findings` name."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__("; ".join(f"{found.code} {found.location}".strip() for found in findings))
        self.findings = findings


__all__ = ["PrepareError"]
