"""How the server says no: an HTTP status and an OperationOutcome."""

from __future__ import annotations


class Refused(Exception):
    """The request cannot be served. `code` is a FHIR issue type, `text` says what was wrong."""

    def __init__(self, status: int, code: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text


def operation_outcome(code: str, text: str, severity: str = "error") -> dict[str, object]:
    issue = {"severity": severity, "code": code, "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}
