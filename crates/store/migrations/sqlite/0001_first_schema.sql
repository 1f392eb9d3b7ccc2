-- The first schema. The same file name under `postgres/` makes the same tables; a test compares them.
-- Times are microseconds since 1970, ids are 16 bytes, lists are JSON, booleans are 0 and 1.

-- The one row of the installation. `version` moves with every change of configuration, so that other processes see that their snapshot is old; `audit_sequence` numbers the audit log without gaps.
CREATE TABLE instance (
    id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    audit_sequence INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1)
) STRICT;
INSERT INTO instance (id, version, audit_sequence) VALUES (1, 1, 0);

-- A row to write when the question is whether writing works. Apart from `instance`, so that a change of configuration that hangs does not look like a database that can not be written.
CREATE TABLE write_probe (
    id INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1)
) STRICT;
INSERT INTO write_probe (id, tries) VALUES (1, 0);

-- Tenants.
CREATE TABLE merchant_accounts (
    id TEXT NOT NULL,
    display_name TEXT NOT NULL,
    account_updater_enabled INTEGER NOT NULL,
    account_updater_request_encryption_key TEXT,
    account_updater_request_encryption_key_id TEXT,
    account_updater_response_decryption_key_id TEXT,
    over_capture_amount INTEGER,
    over_capture_percentage INTEGER,
    loon_client_key TEXT,
    loon_accepted_schemes TEXT,
    loon_merchant_account_id TEXT,
    visa_network_tokens_requestor_id TEXT,
    visa_network_tokens_app_id TEXT,
    amex_network_tokens_requestor_id TEXT,
    amex_network_tokens_app_id TEXT,
    mastercard_network_tokens_requestor_id TEXT,
    mastercard_network_tokens_app_id TEXT,
    discover_network_tokens_requestor_id TEXT,
    discover_network_tokens_app_id TEXT,
    async_network_tokens_enabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT;
CREATE INDEX merchant_accounts_newest ON merchant_accounts (created_at, id);

-- The keys that seal credentials, wrapped by a root key. Without its row here a sealed value is lost, hence the foreign keys to this table.
CREATE TABLE data_keys (
    merchant_account_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    root_key_id TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (merchant_account_id, version),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
) STRICT, WITHOUT ROWID;

-- Sealed members of merchant accounts. The key is checked at commit, since an account, its key and its secrets are born together.
CREATE TABLE merchant_account_secrets (
    merchant_account_id TEXT NOT NULL,
    secret_key TEXT NOT NULL,
    data_key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (merchant_account_id, secret_key),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- Configured payment services. Deleted ones stay, since records point at them.
CREATE TABLE payment_services (
    id BLOB NOT NULL,
    merchant_account_id TEXT NOT NULL,
    definition_id TEXT NOT NULL,
    method TEXT NOT NULL,
    display_name TEXT NOT NULL,
    position INTEGER NOT NULL,
    active INTEGER NOT NULL,
    accepted_currencies TEXT NOT NULL,
    accepted_countries TEXT NOT NULL,
    three_d_secure_enabled INTEGER NOT NULL,
    merchant_profile TEXT,
    payment_method_tokenization_enabled INTEGER NOT NULL,
    network_tokens_enabled INTEGER NOT NULL,
    open_loop INTEGER NOT NULL,
    settlement_reporting_enabled INTEGER NOT NULL,
    is_deleted INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (merchant_account_id, id),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
) STRICT;
CREATE INDEX payment_services_newest ON payment_services (merchant_account_id, created_at, id);

-- Credentials, sealed one by one. The account is repeated, so that the wall and the data key can be checked by the database.
CREATE TABLE payment_service_fields (
    payment_service_id BLOB NOT NULL,
    merchant_account_id TEXT NOT NULL,
    field_set TEXT NOT NULL,
    field_key TEXT NOT NULL,
    secret INTEGER NOT NULL,
    data_key_version INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (payment_service_id, field_set, field_key),
    FOREIGN KEY (merchant_account_id, payment_service_id) REFERENCES payment_services (merchant_account_id, id),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

-- Named sets of scopes.
CREATE TABLE roles (
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
) STRICT;
CREATE INDEX roles_newest ON roles (created_at, id);

-- Public keys that may sign tokens. Both thumbprints are unique, so that neither form of `kid` names two keys. The creator is kept as it was then.
CREATE TABLE api_key_pairs (
    id BLOB NOT NULL,
    display_name TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    thumbprint_unpadded TEXT NOT NULL,
    public_key BLOB NOT NULL,
    active INTEGER NOT NULL,
    role_ids TEXT NOT NULL,
    creator_id BLOB,
    creator_name TEXT,
    creator_thumbprint TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_used_at INTEGER,
    PRIMARY KEY (id),
    UNIQUE (thumbprint),
    UNIQUE (thumbprint_unpadded)
) STRICT;
CREATE INDEX api_key_pairs_newest ON api_key_pairs (created_at, id);

-- The accounts that a key pair is bound to; none means all. A table, since a list of key pairs is filtered by it.
CREATE TABLE api_key_pair_merchant_accounts (
    api_key_pair_id BLOB NOT NULL,
    merchant_account_id TEXT NOT NULL,
    PRIMARY KEY (api_key_pair_id, merchant_account_id),
    FOREIGN KEY (api_key_pair_id) REFERENCES api_key_pairs (id) ON DELETE CASCADE,
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
) STRICT, WITHOUT ROWID;

-- Who changed what, numbered in the order of the commits. Entries of the installation itself have no account.
CREATE TABLE audit_log (
    sequence INTEGER NOT NULL,
    id BLOB NOT NULL,
    merchant_account_id TEXT,
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    actor_id BLOB,
    actor_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (id)
) STRICT;
CREATE INDEX audit_log_newest ON audit_log (created_at, id);
CREATE INDEX audit_log_account_newest ON audit_log (merchant_account_id, created_at, id);

-- One row per session: the hot table. No foreign keys, since each would cost a lookup per session, and a record must be kept whatever became of the key pair or the service. Rows come in the order of their ids (UUID version 7), so the primary key grows at its end.
CREATE TABLE session_records (
    id BLOB NOT NULL,
    merchant_account_id TEXT NOT NULL,
    request_id TEXT NOT NULL,
    payment_service_id BLOB NOT NULL,
    definition_id TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    api_key_pair_id BLOB NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    status_code INTEGER,
    delivered TEXT NOT NULL,
    amount INTEGER,
    currency TEXT,
    country TEXT,
    reference TEXT,
    service_session_id TEXT,
    support_id TEXT,
    service_code TEXT,
    duration_ms INTEGER NOT NULL,
    service_duration_ms INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (id)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_records_newest ON session_records (merchant_account_id, created_at, id);
CREATE INDEX session_records_request ON session_records (merchant_account_id, request_id, created_at, id);
CREATE INDEX session_records_reference ON session_records (merchant_account_id, reference, created_at, id) WHERE reference IS NOT NULL;
CREATE INDEX session_records_service_session ON session_records (merchant_account_id, service_session_id, created_at, id) WHERE service_session_id IS NOT NULL;
