"""The steps of the way of a message: intake before the answer, production and delivery after it."""
