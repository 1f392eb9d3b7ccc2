-- Idempotency keys: which request a caller's key stands for, and what it was answered.

-- The primary key says where a key counts. `attempt_id` is what the payment service recognises the request by, the same for every repetition; `execution_id` is the session record of the last execution, and tells an execution that has lost its lease that it has. What stands beside it is what the record of an execution needs whose process died. The answer is sealed; account and version name the data key for the rotation, and the foreign key holds it.
CREATE TABLE idempotency_keys (
    merchant_account_id TEXT NOT NULL,
    operation TEXT NOT NULL,
    path TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    attempt_id BLOB NOT NULL,
    state TEXT NOT NULL,
    execution_id BLOB NOT NULL,
    lease_until INTEGER NOT NULL,
    payment_service_id BLOB NOT NULL,
    definition_id TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    api_key_pair_id BLOB NOT NULL,
    request_id TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    recognised_until INTEGER,
    data_key_version INTEGER,
    sealed BLOB,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (merchant_account_id, operation, path, idempotency_key),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_running ON idempotency_keys (lease_until) WHERE state = 'started';
