"""The `gateway` command. Heavy rooms are imported inside the verb that needs them: starts in < 0.3 s."""
