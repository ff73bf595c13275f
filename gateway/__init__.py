"""Gateway for medical imaging reports: HL7 v2 and FHIR in; CDA R2, DMP, MSSanté and image pointers out."""

__version__ = "0.1.0"
