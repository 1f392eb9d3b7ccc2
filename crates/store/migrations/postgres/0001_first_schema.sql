-- The first schema. The same file name under `sqlite/` makes the same tables; a test compares them.
-- Times are microseconds since 1970, lists are JSON text.
-- Text that is sorted or indexed has the collation "C": byte order, the same on every machine and on SQLite.

-- The one row of the installation. `version` moves with every change of configuration, so that other processes see that their snapshot is old; `audit_sequence` numbers the audit log without gaps.
CREATE TABLE instance (
    id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    audit_sequence BIGINT NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1)
);
INSERT INTO instance (id, version, audit_sequence) VALUES (1, 1, 0);

-- A row to write when the question is whether writing works. Apart from `instance`, so that a change of configuration that hangs does not look like a database that can not be written.
CREATE TABLE write_probe (
    id BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    PRIMARY KEY (id),
    CHECK (id = 1)
);
INSERT INTO write_probe (id, tries) VALUES (1, 0);

-- Tenants.
CREATE TABLE merchant_accounts (
    id TEXT COLLATE "C" NOT NULL,
    display_name TEXT NOT NULL,
    account_updater_enabled BOOLEAN NOT NULL,
    account_updater_request_encryption_key TEXT,
    account_updater_request_encryption_key_id TEXT,
    account_updater_response_decryption_key_id TEXT,
    over_capture_amount BIGINT,
    over_capture_percentage BIGINT,
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
    async_network_tokens_enabled BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX merchant_accounts_newest ON merchant_accounts (created_at, id);

-- The keys that seal credentials, wrapped by a root key. Without its row here a sealed value is lost, hence the foreign keys to this table.
CREATE TABLE data_keys (
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    root_key_id TEXT NOT NULL,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (merchant_account_id, version),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
);

-- Sealed members of merchant accounts. The key is checked at commit, since an account, its key and its secrets are born together.
CREATE TABLE merchant_account_secrets (
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    secret_key TEXT NOT NULL,
    data_key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (merchant_account_id, secret_key),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
);

-- Configured payment services. Deleted ones stay, since records point at them.
CREATE TABLE payment_services (
    id UUID NOT NULL,
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    definition_id TEXT NOT NULL,
    method TEXT NOT NULL,
    display_name TEXT NOT NULL,
    position BIGINT NOT NULL,
    active BOOLEAN NOT NULL,
    accepted_currencies TEXT NOT NULL,
    accepted_countries TEXT NOT NULL,
    three_d_secure_enabled BOOLEAN NOT NULL,
    merchant_profile TEXT,
    payment_method_tokenization_enabled BOOLEAN NOT NULL,
    network_tokens_enabled BOOLEAN NOT NULL,
    open_loop BOOLEAN NOT NULL,
    settlement_reporting_enabled BOOLEAN NOT NULL,
    is_deleted BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (merchant_account_id, id),
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
);
CREATE INDEX payment_services_newest ON payment_services (merchant_account_id, created_at, id);

-- Credentials, sealed one by one. The account is repeated, so that the wall and the data key can be checked by the database.
CREATE TABLE payment_service_fields (
    payment_service_id UUID NOT NULL,
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    field_set TEXT NOT NULL,
    field_key TEXT NOT NULL,
    secret BOOLEAN NOT NULL,
    data_key_version BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (payment_service_id, field_set, field_key),
    FOREIGN KEY (merchant_account_id, payment_service_id) REFERENCES payment_services (merchant_account_id, id),
    FOREIGN KEY (merchant_account_id, data_key_version) REFERENCES data_keys (merchant_account_id, version) DEFERRABLE INITIALLY DEFERRED
);

-- Named sets of scopes.
CREATE TABLE roles (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    description TEXT NOT NULL,
    permissions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id),
    UNIQUE (slug)
);
CREATE INDEX roles_newest ON roles (created_at, id);

-- Public keys that may sign tokens. Both thumbprints are unique, so that neither form of `kid` names two keys. The creator is kept as it was then.
CREATE TABLE api_key_pairs (
    id UUID NOT NULL,
    display_name TEXT NOT NULL,
    thumbprint TEXT NOT NULL,
    thumbprint_unpadded TEXT NOT NULL,
    public_key BYTEA NOT NULL,
    active BOOLEAN NOT NULL,
    role_ids TEXT NOT NULL,
    creator_id UUID,
    creator_name TEXT,
    creator_thumbprint TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    last_used_at BIGINT,
    PRIMARY KEY (id),
    UNIQUE (thumbprint),
    UNIQUE (thumbprint_unpadded)
);
CREATE INDEX api_key_pairs_newest ON api_key_pairs (created_at, id);

-- The accounts that a key pair is bound to; none means all. A table, since a list of key pairs is filtered by it.
CREATE TABLE api_key_pair_merchant_accounts (
    api_key_pair_id UUID NOT NULL,
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (api_key_pair_id, merchant_account_id),
    FOREIGN KEY (api_key_pair_id) REFERENCES api_key_pairs (id) ON DELETE CASCADE,
    FOREIGN KEY (merchant_account_id) REFERENCES merchant_accounts (id)
);

-- Who changed what, numbered in the order of the commits. Entries of the installation itself have no account.
CREATE TABLE audit_log (
    sequence BIGINT NOT NULL,
    id UUID NOT NULL,
    merchant_account_id TEXT COLLATE "C",
    action TEXT NOT NULL,
    resource_type TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    resource_name TEXT NOT NULL,
    actor_id UUID,
    actor_name TEXT NOT NULL,
    request_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (sequence),
    UNIQUE (id)
);
CREATE INDEX audit_log_newest ON audit_log (created_at, id);
CREATE INDEX audit_log_account_newest ON audit_log (merchant_account_id, created_at, id);

-- One row per session: the hot table. No foreign keys, since each would cost a lookup per session, and a record must be kept whatever became of the key pair or the service. Rows come in the order of their ids (UUID version 7), so the primary key grows at its end.
CREATE TABLE session_records (
    id UUID NOT NULL,
    merchant_account_id TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    payment_service_id UUID NOT NULL,
    definition_id TEXT NOT NULL,
    definition_hash TEXT NOT NULL,
    api_key_pair_id UUID NOT NULL,
    status TEXT NOT NULL,
    code TEXT,
    status_code BIGINT,
    delivered TEXT NOT NULL,
    amount BIGINT,
    currency TEXT,
    country TEXT,
    reference TEXT COLLATE "C",
    service_session_id TEXT COLLATE "C",
    support_id TEXT,
    service_code TEXT,
    duration_ms BIGINT NOT NULL,
    service_duration_ms BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (id)
);
CREATE INDEX session_records_newest ON session_records (merchant_account_id, created_at, id);
CREATE INDEX session_records_request ON session_records (merchant_account_id, request_id, created_at, id);
CREATE INDEX session_records_reference ON session_records (merchant_account_id, reference, created_at, id) WHERE reference IS NOT NULL;
CREATE INDEX session_records_service_session ON session_records (merchant_account_id, service_session_id, created_at, id) WHERE service_session_id IS NOT NULL;
