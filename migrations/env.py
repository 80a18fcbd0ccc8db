"""Alembic's environment; always run by `storage.schema`, which brings the connection."""

from alembic import context

from storage.models.columns import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=False,
)
with context.begin_transaction():
    context.run_migrations()
