"""HTTP: the FHIR endpoint, the operator API, health and metrics. Only `/healthz` and `/readyz` are open."""
