"""From a parsed message to the canonical report, with provenance and coverage.

Site profiles (`sites`), locators, code maps (`codes`), the readers' mappings (`hl7`, `fhir`) and their common
last step (`finish`). What differs between sites is data in `mappings/`; import the modules.
"""
