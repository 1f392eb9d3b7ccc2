-- The audit log becomes a chain: the hash of each entry covers its columns and the hash before it.

-- What is known of an event beside the columns that all entries have: a JSON object, or nothing.
ALTER TABLE audit_log ADD COLUMN details TEXT NOT NULL DEFAULT '';
-- 32 bytes. Null in entries from before this migration, and in those of a server of the version before that still runs: the next entry chains them, and so does `tollhouse migrate`.
ALTER TABLE audit_log ADD COLUMN hash BLOB;

-- Up to which entry the log is chained, and the hash of that entry.
ALTER TABLE instance ADD COLUMN audit_chained INTEGER NOT NULL DEFAULT 0;
ALTER TABLE instance ADD COLUMN audit_head BLOB NOT NULL DEFAULT x'0000000000000000000000000000000000000000000000000000000000000000';
-- The name of the installation, so that a checkpoint of its log can say whose it is.
ALTER TABLE instance ADD COLUMN installation_id BLOB;
UPDATE instance SET installation_id = randomblob(16);

-- The API lists changes only, and events may be many more. The condition is that of the statements, word for word.
CREATE INDEX audit_log_changes ON audit_log (created_at, id) WHERE action IN ('created', 'updated', 'deleted', 'voided', 'canceled', 'captured');
CREATE INDEX audit_log_account_changes ON audit_log (merchant_account_id, created_at, id) WHERE action IN ('created', 'updated', 'deleted', 'voided', 'canceled', 'captured');
DROP INDEX audit_log_newest;
DROP INDEX audit_log_account_newest;

-- Key pairs that are gone, for the question whether a token named one of them.
CREATE INDEX audit_log_deleted_key_pairs ON audit_log (sequence) WHERE action = 'deleted' AND resource_type = 'api-key-pair';
