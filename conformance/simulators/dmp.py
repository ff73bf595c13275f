"""A DMP for tests: ITI-41, ITI-18, deletion, with a VIHF over HTTP(S); its rules share no gateway code."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from lxml import etree

from conformance.simulators import iti41, query, soap, update, vihf, xds_faults, xds_rules
from conformance.simulators.hold import Held
from conformance.simulators.http import Request, Response
from conformance.simulators.ledger import Ledger, safe_name
from conformance.simulators.modes import Switch, control
from conformance.simulators.registry import Registry
from conformance.simulators.xds_faults import Fault, Submission

FLAWS = frozenset({"half", "twice", "never"})
MODES = frozenset({"ok", "500", "slow", "drop", "lost", "closed", "busy"}) | FLAWS
"""ok; 500: HTTP 500, nothing taken; slow: taken, answered after a delay; drop: taken, then the connection
is cut without an answer; lost: cut, nothing taken; closed: the patient's DMP is closed; busy:
XDSRegistryBusy. half, twice, never: taken, then the answer is cut in the middle, sent twice, or withheld."""
CLOSED = Fault("DMPClosed", "patientId", "the DMP of this patient is closed")
"""TD0.2 names this state `DMPClosed`; no list of codes for ITI-41 is published."""
METADATA_CHANGED = "MetadataChanged"
"""`result` of a ledger entry that no submission made."""
BUSY = Fault("XDSRegistryBusy", "registry", "too much activity")


class Options(NamedTuple):
    folder: Path
    schemas: Path | None = None
    """Folder of the official ebXML schemas (`XDS.b_DocumentRepository.xsd`)."""
    authorities: tuple[x509.Certificate, ...] = ()
    """Certificates that may have issued the cachet; empty: any certificate is taken."""
    delay: float = 5.0
    """Seconds that `slow` waits."""


class DmpSimulator:
    """One repository with its registry and ledger; `answer` serves every path."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.switch = Switch(MODES)
        self.ledger = Ledger(options.folder)
        self.registry = Registry()
        self.questions = 0
        self.schema = _schema(options.schemas)
        for entry in self.ledger.entries:
            if entry["result"] in ("Success", METADATA_CHANGED):
                self.registry.restore(entry["submission_set"], entry["documents"])
            elif entry["result"] == update.RESULT:
                self.registry.delete(
                    entry["submission_set"], [one["entryUUID"] for one in entry["documents"]]
                )

    async def answer(self, request: Request) -> Response | None:
        ours = control(request, self.switch, self.ledger.entries)
        if ours is not None:
            return ours
        if request.path == "/documents":
            held = [asdict(one) for one in self.registry.by_uuid.values()]
            return Response(200, "application/json", json.dumps(held).encode())
        serve = {
            "/repository": self._repository,
            "/registry": self._registry,
            "/metadata": self._change,
        }.get(request.path.rstrip("/"))
        if serve is None:
            return Response(404, "text/plain", b"POST to /repository or /registry; GET /documents")
        if request.method != "POST":
            return Response(405, "text/plain", b"POST only")
        return await serve(request)

    async def _registry(self, request: Request) -> Response | None:
        """ITI-18, in the mode of the moment, which a question does not use up; or a deletion, which does."""
        if update.is_update(request):
            return await self._changing(request, partial(update.delete, self))
        mode = self.switch.mode
        if mode == "500":
            return Response(500, "text/plain", b"internal error (simulated)")
        if mode in ("lost", "drop"):
            return None
        try:
            asked = query.take_apart(request)
            faults = vihf.check(asked.security, frozenset(), self.options.authorities, datetime.now(UTC))
            if faults:
                raise soap.RefusedError(*faults)
        except soap.RefusedError as refusal:
            return soap.soap_fault(refusal.faults)
        self.questions += 1
        if mode == "slow":
            await asyncio.sleep(self.options.delay)
        response = query.answer(asked, self.registry, vihf.patient(asked.security))
        return response._replace(flaw=mode) if mode in FLAWS else response

    async def _change(self, request: Request) -> Response:
        """`POST /metadata` with a uniqueId as body: somebody changes the metadata of that document."""
        try:
            record = self.registry.change_metadata(request.body.decode().strip())
        except (KeyError, ValueError):
            return Response(404, "text/plain", b"no document with this uniqueId")
        self.ledger.append({"result": METADATA_CHANGED, "submission_set": "", "documents": [record]})
        return Response(200, "text/plain", record["entryUUID"].encode())

    async def _repository(self, request: Request) -> Response | None:
        return await self._changing(request, self.submit)

    async def _changing(
        self, request: Request, serve: Callable[[Request, Fault | None], Response]
    ) -> Response | None:
        """What changes the registry, in the mode of the moment."""
        mode = self.switch.take()
        if mode == "500":
            return Response(500, "text/plain", b"internal error (simulated)")
        if mode == "lost":
            return None
        response = serve(request, {"closed": CLOSED, "busy": BUSY}.get(mode))
        if mode == "slow":
            await asyncio.sleep(self.options.delay)
        if mode in FLAWS:
            return response._replace(flaw=mode)
        return None if mode == "drop" else response

    def submit(self, request: Request, imposed: Fault | None = None, held: Held | None = None) -> Response:
        """Judge one submission, keep it, answer it. `imposed` is the refusal of the present mode; `held`: it
        came earlier, and was answered with Success."""
        mark = held.mark() if held else {}
        try:
            parsed = iti41.take_apart(request)
            self._authenticate(parsed, held.taken if held else datetime.now(UTC))
        except iti41.RefusalError as refusal:
            response = soap.soap_fault(refusal.faults)
            self._record(request, response, "Fault", refusal.faults, None, [], mark)
            return response
        faults = (imposed,) if imposed else self._judge(parsed)
        owner = vihf.structure(parsed.security)
        records = [] if faults else self.registry.accept(parsed.submission, owner)
        response = soap.registry_response(faults, parsed.message_id)
        self._record(request, response, "Failure" if faults else "Success", faults, parsed, records, mark)
        return response

    def schema_faults(self, request: etree._Element) -> tuple[Fault, ...]:
        """What the official schema says of a request, but for its bytes; nothing where there is none."""
        if self.schema is None:
            return ()
        try:
            self.schema.assertValid(iti41.without_bytes(request))
        except etree.DocumentInvalid as error:
            return (Fault(xds_faults.METADATA, "schema", str(error)),)
        return ()

    def _authenticate(self, parsed: iti41.Parsed, now: datetime) -> None:
        metadata = parsed.submission.metadata
        patients = frozenset(found.patient_id for found in metadata.entries + metadata.sets)
        faults = vihf.check(parsed.security, patients, self.options.authorities, now)
        if faults:
            raise iti41.RefusalError(*faults)

    def _judge(self, parsed: iti41.Parsed) -> tuple[Fault, ...]:
        faults = (
            *self.schema_faults(parsed.request),
            *xds_rules.check(parsed.submission),
        )
        return faults or self.registry.conflicts(parsed.submission)

    def _record(
        self,
        request: Request,
        response: Response,
        result: str,
        faults: tuple[Fault, ...],
        parsed: iti41.Parsed | None,
        records: list[dict[str, Any]],
        mark: dict[str, Any],
    ) -> None:
        """Keep request, answer and documents; then one line of the ledger.

        Its flat keys are those of the first document, `documents` lists all that were registered.
        """
        folder = self.exchange(request, response)
        submission = parsed.submission if parsed else None
        documents = [] if submission is None else self._keep(submission, folder, bool(records))
        for record, document in zip(records, documents, strict=False):
            record.update(document)
        first = (records or documents or [{}])[0]
        metadata = submission.metadata if submission else None
        self.ledger.append(
            {
                "result": result,
                "errors": [fault._asdict() for fault in faults],
                "submission_set": metadata.sets[0].unique_id if metadata and metadata.sets else "",
                "patient": metadata.entries[0].patient_id if metadata and metadata.entries else "",
                "uniqueId": first.get("uniqueId", ""),
                "entryUUID": first.get("entryUUID", ""),
                "sha1": first.get("sha1", ""),
                "sha256": first.get("sha256", ""),
                "message_id": parsed.message_id if parsed else "",
                "documents": records,
                **mark,
            }
        )

    def exchange(self, request: Request, response: Response) -> Path:
        """Keep both, under the number that the next line of the ledger gets."""
        folder = self.options.folder / "requests" / f"{len(self.ledger.entries) + 1:06d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "request.mime").write_bytes(request.body)
        (folder / "response.mime").write_bytes(response.body)
        return folder

    def _keep(self, submission: Submission, folder: Path, registered: bool) -> list[dict[str, Any]]:
        """Write the documents (by uniqueId when registered, else beside the request); names and hashes."""
        target = self.options.folder / "documents" if registered else folder
        target.mkdir(parents=True, exist_ok=True)
        kept = []
        for entry in submission.metadata.entries:
            data = submission.documents.get(entry.id, b"")
            (target / f"{safe_name(entry.unique_id)}.xml").write_bytes(data)
            kept.append(
                {
                    "uniqueId": entry.unique_id,
                    "sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size": len(data),
                }
            )
        return kept


def _schema(folder: Path | None) -> etree.XMLSchema | None:
    if folder is None:
        return None
    return etree.XMLSchema(etree.parse(str(folder / "XDS.b_DocumentRepository.xsd")))
