"""The embedded stores: one SQLite file, no server. The only folder that knows sqlite3."""
