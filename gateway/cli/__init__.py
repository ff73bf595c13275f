"""The `gateway` command. Heavy rooms are imported inside the verb that needs them: `gateway version` < 0.3 s."""
