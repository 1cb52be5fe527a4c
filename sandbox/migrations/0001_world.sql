-- The outside world: people, their accounts at provincial cores, and how the provinces behave.

CREATE TABLE person (
    psn_no text PRIMARY KEY,
    province text NOT NULL,
    insuplc_admdvs text NOT NULL,
    insutype text NOT NULL,
    psn_cert_type text NOT NULL,
    cert_no text NOT NULL,
    name text NOT NULL,
    born_on date NOT NULL,
    retired boolean NOT NULL,
    made_at timestamptz NOT NULL,
    number bigint NOT NULL,
    CONSTRAINT person_is_counted_once UNIQUE (number),
    CONSTRAINT person_has_a_certificate_of_their_own UNIQUE (psn_cert_type, cert_no)
);
CREATE INDEX person_by_birth ON person (born_on);

CREATE TABLE enrolment (
    enrolment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    psn_no text NOT NULL REFERENCES person (psn_no),
    status text NOT NULL,
    since date NOT NULL,
    reason text,
    told_at timestamptz NOT NULL,
    CONSTRAINT enrolment_status_is_known CHECK (
        status IN ('active', 'suspended', 'ended', 'moved')
    )
);

CREATE TABLE registration (
    registration_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    psn_no text NOT NULL REFERENCES person (psn_no),
    mdtrtarea_admvs text NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    told_at timestamptz NOT NULL,
    CONSTRAINT registration_ends_after_it_begins CHECK (valid_from <= valid_to)
);

CREATE TABLE account (
    province text NOT NULL,
    psn_no text NOT NULL,
    pool_admdvs text NOT NULL,
    balance_fen bigint NOT NULL,
    frozen_fen bigint NOT NULL,
    PRIMARY KEY (province, psn_no),
    CONSTRAINT account_is_never_overdrawn CHECK (balance_fen >= 0),
    CONSTRAINT account_freezes_only_what_it_has CHECK (frozen_fen BETWEEN 0 AND balance_fen)
);

CREATE TABLE entry (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    province text NOT NULL,
    psn_no text NOT NULL,
    kind text NOT NULL,
    quota_id uuid,
    reference uuid NOT NULL,
    balance_fen bigint NOT NULL,
    frozen_fen bigint NOT NULL,
    posted_at timestamptz NOT NULL,
    FOREIGN KEY (province, psn_no) REFERENCES account (province, psn_no),
    CONSTRAINT entry_has_one_effect_a_reference UNIQUE (reference, kind),
    CONSTRAINT entry_does_what_its_kind_says CHECK (
        CASE kind
            WHEN 'opening' THEN balance_fen >= 0 AND frozen_fen = 0 AND quota_id IS NULL
            WHEN 'deposit' THEN balance_fen > 0 AND frozen_fen = 0 AND quota_id IS NULL
            WHEN 'freeze' THEN balance_fen = 0 AND frozen_fen > 0 AND quota_id IS NOT NULL
            WHEN 'unfreeze' THEN balance_fen = 0 AND frozen_fen < 0 AND quota_id IS NOT NULL
            WHEN 'debit' THEN
                balance_fen < 0 AND frozen_fen = balance_fen AND quota_id IS NOT NULL
            WHEN 'credit' THEN
                balance_fen > 0 AND frozen_fen = balance_fen AND quota_id IS NOT NULL
            WHEN 'return' THEN balance_fen > 0 AND frozen_fen = 0 AND quota_id IS NOT NULL
            ELSE false
        END
    )
);
COMMENT ON COLUMN entry.balance_fen IS 'The change of the balance; frozen_fen that of what is frozen.';
CREATE INDEX entry_by_account ON entry (province, psn_no);

CREATE TRIGGER entry_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

CREATE TABLE frozen_quota (
    quota_id uuid PRIMARY KEY,
    province text NOT NULL,
    psn_no text NOT NULL,
    frozen_fen bigint NOT NULL,
    FOREIGN KEY (province, psn_no) REFERENCES account (province, psn_no),
    CONSTRAINT frozen_quota_is_never_overdrawn CHECK (frozen_fen >= 0)
);
COMMENT ON TABLE frozen_quota IS 'What of an account is frozen for which quota; their sum is its frozen_fen.';

CREATE TABLE freeze_request (
    freeze_id uuid PRIMARY KEY,
    province text NOT NULL,
    psn_no text NOT NULL,
    pool_admdvs text NOT NULL,
    quota_id uuid NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL, -- waiting -> confirmed or refused
    reason text,
    asked_at timestamptz NOT NULL,
    decided_at timestamptz,
    CONSTRAINT freeze_request_state_is_known CHECK (state IN ('waiting', 'confirmed', 'refused')),
    CONSTRAINT freeze_request_is_refused_for_a_reason CHECK ((state = 'refused') = (reason IS NOT NULL)),
    CONSTRAINT freeze_request_is_decided_once CHECK ((state = 'waiting') = (decided_at IS NULL)),
    CONSTRAINT freeze_request_has_an_amount CHECK (amount_fen > 0)
);
CREATE INDEX freeze_request_waiting ON freeze_request (province, asked_at) WHERE state = 'waiting';

CREATE TABLE account_order (
    order_id uuid PRIMARY KEY,
    kind text NOT NULL,
    province text NOT NULL,
    psn_no text NOT NULL,
    pool_admdvs text NOT NULL,
    quota_id uuid NOT NULL,
    amount_fen bigint NOT NULL,
    obeyed_at timestamptz NOT NULL,
    CONSTRAINT account_order_kind_is_known CHECK (
        kind IN ('unfreeze', 'debit', 'credit', 'return')
    ),
    CONSTRAINT account_order_has_an_amount CHECK (amount_fen > 0)
);

CREATE TABLE premium (
    payment_id uuid PRIMARY KEY,
    province text NOT NULL,
    psn_no text NOT NULL,
    levy_no text NOT NULL,
    insutype text NOT NULL,
    year integer NOT NULL,
    amount_fen bigint NOT NULL,
    state text NOT NULL,
    decided_at timestamptz NOT NULL,
    CONSTRAINT premium_state_is_known CHECK (state IN (
        'accepted',
        'refused',
        'refunded'  -- accepted -> refunded
    )),
    CONSTRAINT premium_has_an_amount CHECK (amount_fen > 0)
);
COMMENT ON TABLE premium IS 'What a province''s fund has decided of a premium; asked again, it says the same.';

CREATE TABLE behaviour (
    province text PRIMARY KEY,
    freeze_mode text NOT NULL,
    late_ms integer NOT NULL,
    duplicate boolean NOT NULL,
    reorder boolean NOT NULL,
    premium_mode text NOT NULL,
    kinship_mode text NOT NULL,
    CONSTRAINT behaviour_towards_freezes_is_known CHECK (
        freeze_mode IN ('confirm', 'refuse', 'silent')
    ),
    CONSTRAINT behaviour_towards_premiums_is_known CHECK (
        premium_mode IN ('accept', 'refuse', 'silent')
    ),
    CONSTRAINT behaviour_towards_kinship_is_known CHECK (
        kinship_mode IN ('yes', 'no', 'unknown', 'silent')
    ),
    CONSTRAINT behaviour_is_late_for_minutes_at_most CHECK (late_ms BETWEEN 0 AND 600000)
);
COMMENT ON TABLE behaviour IS 'How a province was told to behave; one without a row is well-behaved.';

CREATE TABLE held_answer (
    answer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    province text NOT NULL,
    topic text NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    subject text NOT NULL,
    data bytea NOT NULL,
    copies integer NOT NULL,
    due_at timestamptz NOT NULL,
    sent_at timestamptz,
    CONSTRAINT held_answer_is_sent_at_least_once CHECK (copies >= 1)
);
COMMENT ON TABLE held_answer IS 'Answers that a late or reordering province has not told yet.';
CREATE INDEX held_answer_due ON held_answer (due_at) WHERE sent_at IS NULL;
CREATE INDEX held_answer_of_province ON held_answer (province) WHERE sent_at IS NULL;

CREATE TABLE ec_code (
    code text PRIMARY KEY,
    psn_no text NOT NULL REFERENCES person (psn_no),
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
