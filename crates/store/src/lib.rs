//! The database: one SQL text, two engines (SQLite and PostgreSQL).
