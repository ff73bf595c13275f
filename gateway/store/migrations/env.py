"""Run by Alembic: the revisions go through the connection, and inside the transaction, of `upgrade`."""

from alembic import context

from gateway.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
