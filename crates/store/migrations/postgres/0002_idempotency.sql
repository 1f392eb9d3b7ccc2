-- Idempotency keys: which request a caller's key stands for, and what it was answered.

-- The primary key says where a key counts. `attempt_id` is what the payment service recognises the request by, the same for every repetition; `execution_id` is the session record of the last execution, and tells an execution that has lost its lease that it has. What stands beside it is what the record of an execution needs whose process died. The answer is sealed; account and version name the data key for the rotation, and the foreign key holds it.
CREATE TABLE idempotency_keys (
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    path TEXT COLLATE "C" NOT NULL,
    idempotency_key TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    attempt_id UUID NOT NULL,
    state TEXT NOT NULL,
    execution_id UUID NOT NULL,
    lease_until BIGINT NOT NULL,
    payment_service_id UUID NOT NULL,
    definition_id TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    api_key_pair_id UUID NOT NULL,
    request_id TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    recognised_until BIGINT,
    data_key_version BIGINT,
    sealed BYTEA,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (merchant_account_id, operation, path, idempotency_key),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_running ON idempotency_keys (lease_until) WHERE state = 'started';
