-- What a province was issued for a month, what it said and paid, and what it deposited elsewhere.

ALTER TABLE behaviour ADD COLUMN clearing_mode text NOT NULL DEFAULT 'confirm'
CONSTRAINT behaviour_towards_clearing_is_known CHECK (
    clearing_mode IN ('confirm', 'dispute', 'silent')
);

CREATE TABLE clearing (
    province text NOT NULL,
    period text NOT NULL,
    version integer NOT NULL,
    digest text NOT NULL,
    lines text NOT NULL,
    state text NOT NULL,
    told_at timestamptz NOT NULL,
    decided_at timestamptz,
    PRIMARY KEY (province, period, version),
    CONSTRAINT clearing_state_is_known CHECK (state IN (
        'waiting',    -- the province keeps silent
        'disputed',   -- waiting -> disputed
        'confirmed'   -- waiting, disputed -> confirmed, and what is owed is paid
    )),
    CONSTRAINT clearing_is_decided_at_some_time CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE INDEX clearing_unconfirmed ON clearing (province, period) WHERE state <> 'confirmed';
COMMENT ON TABLE clearing IS 'What a province was issued for a month, and what it said of it.';
COMMENT ON COLUMN clearing.lines IS 'JSON: the lines as they were issued.';

CREATE TABLE transfer (
    province text NOT NULL,
    period text NOT NULL,
    version integer NOT NULL,
    counterpart text NOT NULL,
    amount_fen bigint NOT NULL,
    paid_on date NOT NULL,
    PRIMARY KEY (province, period, version, counterpart),
    FOREIGN KEY (province, period, version) REFERENCES clearing (province, period, version),
    CONSTRAINT transfer_pays_something CHECK (amount_fen > 0),
    CONSTRAINT transfer_leaves_the_province CHECK (counterpart <> province)
);
COMMENT ON TABLE transfer IS 'What a province has paid another for a month: once.';

CREATE TRIGGER transfer_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

CREATE TABLE prefund (
    province text NOT NULL,
    counterpart text NOT NULL,
    deposited_fen bigint NOT NULL,
    unanswered_percent integer,
    PRIMARY KEY (province, counterpart),
    CONSTRAINT prefund_is_never_overdrawn CHECK (deposited_fen >= 0)
);
COMMENT ON TABLE prefund IS 'What a province has deposited with another.';
COMMENT ON COLUMN prefund.unanswered_percent IS 'The last warning that the province has kept silent about.';

CREATE TABLE deposit (
    deposit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    province text NOT NULL,
    counterpart text NOT NULL,
    amount_fen bigint NOT NULL,
    told_at timestamptz NOT NULL,
    FOREIGN KEY (province, counterpart) REFERENCES prefund (province, counterpart),
    CONSTRAINT deposit_is_of_something CHECK (amount_fen > 0)
);
CREATE INDEX deposit_by_prefund ON deposit (province, counterpart);
COMMENT ON TABLE deposit IS 'Each time that a province topped a prefund up.';

CREATE TRIGGER deposit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON deposit
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
