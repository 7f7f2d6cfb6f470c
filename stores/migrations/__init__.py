"""Alembic migrations of the SQL database; `stores/sql.py` applies them when the database is opened."""
