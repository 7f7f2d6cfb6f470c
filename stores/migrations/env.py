"""What Alembic runs for a migration: in the transaction of the connection that `stores/sql.py` gives."""

from alembic import context

from stores.sql_tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
