-- The month: lines of both signs, what they add up to, what the wallet told of its cut, statements,
-- answers, transfers and prefunds. Whole fen; a line's hash and its sums are numbers below 2^64.

CREATE FUNCTION line_hash(cause_id uuid, quota_id uuid, amount bigint) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
SELECT
    ('x' || substr(digest, 1, 8))::bit(32)::bigint * 4294967296::numeric
    + ('x' || substr(digest, 9, 8))::bit(32)::bigint
FROM encode(
    sha256(convert_to(cause_id::text || '|' || quota_id::text || '|' || amount::text, 'UTF8')),
    'hex'
) AS hashed (digest)
$$;
COMMENT ON FUNCTION line_hash(uuid, uuid, bigint) IS 'The first 64 bits of SHA-256 of `cause_id|quota_id|amount`, as the wallet and domain/line.py have it.';

-- The lines of captures make room for the table that takes their rows over: a key of its own, both
-- signs. No release has the old one.
-- squawk-ignore renaming-table
ALTER TABLE line RENAME TO captured_line;
-- squawk-ignore renaming-object
ALTER TABLE captured_line RENAME CONSTRAINT line_pkey TO captured_line_pkey;
-- squawk-ignore renaming-object
ALTER INDEX line_of_period RENAME TO captured_line_of_period;

CREATE TABLE line (
    cause_id uuid NOT NULL,
    quota_id uuid NOT NULL,
    payment_id uuid NOT NULL,
    cell integer NOT NULL,
    period text NOT NULL,
    captured_period text NOT NULL,
    debtor text NOT NULL,
    creditor text NOT NULL,
    debtor_province text NOT NULL,
    creditor_province text NOT NULL,
    kind text NOT NULL,
    institution text NOT NULL,
    amount bigint NOT NULL,
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (cause_id, quota_id),
    CONSTRAINT line_owes_something CHECK (amount <> 0),
    CONSTRAINT line_of_a_capture_owes_in_its_own_month CHECK (
        cause_id <> payment_id OR (amount > 0 AND period = captured_period)
    ),
    CONSTRAINT line_falls_into_no_month_before_its_capture CHECK (captured_period <= period),
    CONSTRAINT line_kind_is_known CHECK (
        kind IN ('outpatient', 'inpatient', 'pharmacy', 'premium_390', 'premium_410')
    ),
    CONSTRAINT line_of_a_premium_has_no_institution CHECK (
        (kind IN ('premium_390', 'premium_410')) = (institution = '')
    ),
    CONSTRAINT line_falls_into_a_month CHECK (
        period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'
        AND captured_period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'
    )
);
CREATE INDEX line_of_period ON line (period, debtor, creditor);
CREATE INDEX line_that_adjusts ON line (period) WHERE captured_period < period;
COMMENT ON COLUMN line.cause_id IS 'The payment or, of an opposite row, that row: a refund, a reversal, or the retake of a refund.';
COMMENT ON COLUMN line.cell IS 'The cell of the wallet that told it, as it stands in the payment''s id.';
COMMENT ON COLUMN line.captured_period IS 'The month of the payment: an opposite row falls into the open month and names its original (R22).';
COMMENT ON COLUMN line.debtor IS 'The sharer''s pool, which owes (R15, R18).';
COMMENT ON COLUMN line.creditor IS 'The place of care, whose agency pays the institution; of a premium the enrolment area (R15, R18).';
COMMENT ON COLUMN line.debtor_province IS 'Whose the debtor''s pool was on the day of the payment.';
COMMENT ON COLUMN line.debtor_province IS 'Whose the debtor''s pool was on the business day of the payment.';
COMMENT ON COLUMN line.amount IS 'Above 0: owed. Below 0: given back.';

-- Which province a pool lies in is policy; of lines that came before this file, by the codes as
-- they are today (compared with the table of areas, no code differs).
INSERT INTO line
SELECT
    payment_id, quota_id, payment_id,
    CASE substr(payment_id::text, 15, 1)
        WHEN '7' THEN ('x0' || substr(payment_id::text, 16, 3))::bit(16)::integer
        ELSE 0
    END,
    period, period, debtor, creditor,
    CASE WHEN debtor LIKE '659%' THEN '660000' ELSE left(debtor, 2) || '0000' END,
    CASE WHEN creditor LIKE '659%' THEN '660000' ELSE left(creditor, 2) || '0000' END,
    kind, institution, amount, captured_at, recorded_at
FROM captured_line;
-- Its rows are all in the new one.
-- squawk-ignore ban-drop-table
DROP TABLE captured_line;

CREATE TABLE total (
    period text NOT NULL,
    debtor text NOT NULL,
    creditor text NOT NULL,
    kind text NOT NULL,
    institution text NOT NULL,
    cell integer NOT NULL,
    debtor_province text NOT NULL,
    creditor_province text NOT NULL,
    lines bigint NOT NULL,
    amount bigint NOT NULL,
    hash numeric NOT NULL,
    adjusting_lines bigint NOT NULL,
    adjusting_amount bigint NOT NULL,
    PRIMARY KEY (period, debtor, creditor, kind, institution, cell),
    CONSTRAINT total_has_lines CHECK (lines > 0 AND adjusting_lines BETWEEN 0 AND lines),
    CONSTRAINT total_hashes_below_two_to_the_64 CHECK (
        hash >= 0 AND hash < 18446744073709551616
    )
) WITH (fillfactor = 70);
CREATE INDEX total_of_creditor ON total (period, creditor);
CREATE INDEX total_of_institution ON total (period, institution);
COMMENT ON TABLE total IS 'What the lines of a month add up to, folded once a batch (I9).';

CREATE TABLE received (
    period text NOT NULL,
    cell integer NOT NULL,
    lines bigint NOT NULL,
    amount bigint NOT NULL,
    hash numeric NOT NULL,
    PRIMARY KEY (period, cell),
    CONSTRAINT received_hashes_below_two_to_the_64 CHECK (
        hash >= 0 AND hash < 18446744073709551616
    )
) WITH (fillfactor = 70);
COMMENT ON TABLE received IS 'What was received of a cell''s month so far; compared with cell_cut before all its totals are.';

CREATE TABLE period (
    period text PRIMARY KEY,
    state text NOT NULL,
    cells integer NOT NULL,
    cut_at timestamptz NOT NULL,
    balanced_at timestamptz,
    issued_at timestamptz,
    confirmed_at timestamptz,
    paid_at timestamptz,
    closed_at timestamptz,
    version integer,
    digest text,
    CONSTRAINT period_is_a_month CHECK (period ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$'),
    CONSTRAINT period_state_is_known CHECK (state IN (
        'cut',        -- a cell of the wallet told that the month is over
        'balanced',   -- cut -> balanced: all cells' totals equal the lines that were received
        'issued',     -- balanced -> issued: the provinces were sent their statements
        'confirmed',  -- issued -> confirmed: all of them confirmed
        'paid',       -- confirmed -> paid: all that is owed between provinces was paid
        'closed'      -- paid -> closed
    )),
    CONSTRAINT period_reached_its_states_in_order CHECK (
        (balanced_at IS NULL) = (state = 'cut')
        AND (issued_at IS NULL) = (state IN ('cut', 'balanced'))
        AND (confirmed_at IS NULL) = (state IN ('cut', 'balanced', 'issued'))
        AND (paid_at IS NULL) = (state NOT IN ('paid', 'closed'))
        AND (closed_at IS NULL) = (state <> 'closed')
    ),
    CONSTRAINT period_is_issued_with_a_digest CHECK (
        (version IS NULL) = (issued_at IS NULL) AND (digest IS NULL) = (issued_at IS NULL)
    ),
    CONSTRAINT period_has_cells CHECK (cells > 0)
);

CREATE TABLE cell_cut (
    period text NOT NULL,
    cell integer NOT NULL,
    cut_at timestamptz NOT NULL,
    lines bigint NOT NULL,
    amount bigint NOT NULL,
    hash numeric NOT NULL,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (period, cell)
);
COMMENT ON TABLE cell_cut IS 'What a cell of the wallet told of its month, added up.';

CREATE TABLE cell_total (
    period text NOT NULL,
    cell integer NOT NULL,
    debtor text NOT NULL,
    creditor text NOT NULL,
    kind text NOT NULL,
    lines bigint NOT NULL,
    amount bigint NOT NULL,
    hash numeric NOT NULL,
    PRIMARY KEY (period, cell, debtor, creditor, kind),
    CONSTRAINT cell_total_has_lines CHECK (lines > 0)
);

CREATE TABLE recipient (
    period text NOT NULL,
    version integer NOT NULL,
    province text NOT NULL,
    PRIMARY KEY (period, version, province)
);
COMMENT ON TABLE recipient IS 'Whom a month''s statement was issued to: each of them has to confirm it.';

CREATE TABLE answer (
    answer_id uuid PRIMARY KEY,
    ordinal bigint GENERATED ALWAYS AS IDENTITY,
    period text NOT NULL,
    version integer NOT NULL,
    province text NOT NULL,
    answer text NOT NULL,
    lines text,
    at timestamptz NOT NULL,
    CONSTRAINT answer_is_known CHECK (answer IN ('confirmed', 'disputed'))
);
CREATE INDEX answer_of_period ON answer (period, ordinal);
CREATE UNIQUE INDEX answer_confirms_once ON answer (period, version, province)
WHERE answer = 'confirmed';
COMMENT ON COLUMN answer.lines IS 'What a province disputes, as the JSON it sent.';

CREATE TABLE owed (
    period text NOT NULL,
    version integer NOT NULL,
    debtor text NOT NULL,
    creditor text NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (period, version, debtor, creditor),
    CONSTRAINT owed_between_two_provinces CHECK (debtor <> creditor),
    CONSTRAINT owed_is_something CHECK (amount <> 0)
);
COMMENT ON TABLE owed IS 'What a province owes another for a month, gross (R15); below 0 the creditor pays it back.';

CREATE TABLE transfer (
    transfer_id uuid PRIMARY KEY,
    period text NOT NULL,
    version integer NOT NULL,
    tier text NOT NULL,
    payer text NOT NULL,
    payee text NOT NULL,
    amount bigint NOT NULL,
    paid_on date NOT NULL,
    province text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT transfer_moves_something CHECK (amount > 0),
    CONSTRAINT transfer_tier_is_known CHECK (
        tier IN ('interprovince', 'province_city', 'institution')
    ),
    CONSTRAINT transfer_between_provinces_is_told_by_its_payer CHECK (
        tier <> 'interprovince' OR province = payer
    )
);
CREATE INDEX transfer_of_period ON transfer (period, tier, payer, payee);
COMMENT ON COLUMN transfer.transfer_id IS 'Of the event that told it and what it said: the same told twice counts once.';

CREATE TABLE top_up (
    top_up_id uuid PRIMARY KEY,
    debtor text NOT NULL,
    creditor text NOT NULL,
    amount bigint NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT top_up_deposits_something CHECK (amount > 0),
    CONSTRAINT top_up_lies_with_another_province CHECK (debtor <> creditor)
);

CREATE TABLE prefund (
    debtor text NOT NULL,
    creditor text NOT NULL,
    deposited bigint NOT NULL,
    used bigint NOT NULL,
    level text NOT NULL,
    PRIMARY KEY (debtor, creditor),
    CONSTRAINT prefund_lies_with_another_province CHECK (debtor <> creditor),
    CONSTRAINT prefund_deposit_is_not_negative CHECK (deposited >= 0),
    CONSTRAINT prefund_level_is_known CHECK (level IN ('green', 'yellow', 'red'))
) WITH (fillfactor = 70);
COMMENT ON TABLE prefund IS 'What the debtor province deposited with the creditor, and how much of it is used (R16).';
COMMENT ON COLUMN prefund.used IS 'Lines less transfers; below 0 where more was given back than charged.';

INSERT INTO total
SELECT
    period, debtor, creditor, kind, institution, cell, debtor_province, creditor_province,
    count(*), sum(amount), mod(sum(line_hash(cause_id, quota_id, amount)), 18446744073709551616),
    0, 0
FROM line
GROUP BY
    period, debtor, creditor, kind, institution, cell, debtor_province, creditor_province;

INSERT INTO received
SELECT period, cell, sum(lines), sum(amount), mod(sum(hash), 18446744073709551616)
FROM total
GROUP BY period, cell;

INSERT INTO prefund
SELECT
    debtor_province, creditor_province, 0, sum(amount),
    CASE WHEN sum(amount) > 0 THEN 'red' ELSE 'green' END
FROM total
WHERE debtor_province <> creditor_province
GROUP BY debtor_province, creditor_province;

CREATE FUNCTION forbid_late_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM came JOIN period USING (period) WHERE period.state <> 'cut') THEN
        RAISE EXCEPTION 'a month that is balanced takes no more lines'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER line_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON line
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER line_never_comes_late AFTER INSERT ON line
REFERENCING NEW TABLE AS came
FOR EACH STATEMENT EXECUTE FUNCTION forbid_late_lines();
CREATE TRIGGER cell_cut_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON cell_cut
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER cell_total_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON cell_total
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER recipient_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON recipient
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER answer_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON answer
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER owed_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON owed
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER transfer_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER top_up_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON top_up
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
