"""The testers' toolkit: validators, simulators, scenarios, the demo. Command `conformance`."""
