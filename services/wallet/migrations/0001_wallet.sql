-- The wallet: the only ledger of quota money. One schema is one cell; all that a beneficiary's
-- payments touch lies in one cell.

CREATE TABLE clearing_clock (
    single boolean PRIMARY KEY DEFAULT true,
    last_cut text,
    CONSTRAINT clearing_clock_is_one_row CHECK (single),
    CONSTRAINT clearing_clock_counts_months CHECK (last_cut ~ '^20[0-9]{2}-(0[1-9]|1[0-2])$')
);
COMMENT ON COLUMN clearing_clock.last_cut IS 'The last month that was cut, Beijing; null before the first.';
INSERT INTO clearing_clock (last_cut) VALUES (NULL);

CREATE TABLE wallet (
    person_id uuid PRIMARY KEY,
    version integer NOT NULL,
    psn_no text NOT NULL,
    pool_admdvs text NOT NULL,
    insutype text NOT NULL,
    insured boolean NOT NULL,
    opened_at timestamptz,
    registrations text NOT NULL DEFAULT '[]'
);
COMMENT ON COLUMN wallet.registrations IS 'JSON: [[area, from, to], ...], where the person may be treated (R26).';
COMMENT ON TABLE wallet IS 'A person as the wallet knows them: where insured, whether the wallet is open. No name, no number.';
COMMENT ON COLUMN wallet.version IS 'Grows with every change in relations; an older snapshot never wins.';

CREATE TABLE quota (
    quota_id uuid PRIMARY KEY,
    relation_id uuid NOT NULL,
    beneficiary_id uuid NOT NULL,
    sharer_id uuid NOT NULL,
    sharer_psn_no text NOT NULL,
    sharer_admdvs text NOT NULL,
    kind text NOT NULL,
    related_at timestamptz NOT NULL,
    state text NOT NULL,
    refusal text,
    granted bigint NOT NULL DEFAULT 0,
    available bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    spent bigint NOT NULL DEFAULT 0,
    restoring bigint NOT NULL DEFAULT 0,
    returned bigint NOT NULL DEFAULT 0,
    suspended boolean NOT NULL DEFAULT false,
    rank integer,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT quota_belongs_to_one_relation UNIQUE (relation_id),
    CONSTRAINT quota_state_is_known CHECK (state IN (
        'opened',    -- the relation is active; the sharer has not said what shall be spendable
        'freezing',  -- opened, active, refused -> freezing: the province was asked for more
        'active',    -- freezing -> active: granted, or a raise was refused and the rest stands
        'refused',   -- freezing -> refused: the province refused and nothing was ever granted
        'ended'      -- any -> ended: nothing new; what becomes free is returned
    )),
    CONSTRAINT quota_conserves_money CHECK (
        granted = available + held + spent + restoring + returned
    ),
    CONSTRAINT quota_books_are_never_overdrawn CHECK (
        available >= 0 AND held >= 0 AND spent >= 0 AND restoring >= 0 AND returned >= 0
    ),
    CONSTRAINT quota_that_ended_has_nothing_to_spend CHECK (state <> 'ended' OR available = 0)
) WITH (fillfactor = 80);
CREATE INDEX quota_of_beneficiary ON quota (beneficiary_id);
CREATE INDEX quota_of_sharer ON quota (sharer_id);
COMMENT ON COLUMN quota.suspended IS 'An insurance is suspended: nothing new may be held or paid (R5).';
COMMENT ON COLUMN quota.rank IS 'Its place in the beneficiary''s own order; null: after those, by age (R12).';
COMMENT ON COLUMN quota.sharer_admdvs IS 'The sharer''s pool: the debtor of what is spent (R18).';

CREATE TABLE entry (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    quota_id uuid NOT NULL,
    source text NOT NULL,
    target text NOT NULL,
    amount bigint NOT NULL,
    payment_id uuid,
    order_id uuid,
    at timestamptz NOT NULL,
    CONSTRAINT entry_moves_something CHECK (amount > 0),
    CONSTRAINT entry_moves_between_books CHECK (
        source <> target
        AND source IN ('province', 'available', 'held', 'spent', 'restoring')
        AND target IN ('available', 'held', 'spent', 'restoring', 'returned')
    ),
    CONSTRAINT entry_has_a_cause CHECK (payment_id IS NOT NULL OR order_id IS NOT NULL)
);
CREATE INDEX entry_of_quota ON entry (quota_id);

CREATE TABLE payment (
    payment_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    institution text,
    mdtrtarea_admvs text,
    insuplc_admdvs text NOT NULL,
    purpose text NOT NULL,
    admission_id text,
    state text NOT NULL,
    requested bigint NOT NULL,
    amount bigint NOT NULL,
    captured bigint NOT NULL DEFAULT 0,
    refunded bigint NOT NULL DEFAULT 0,
    medfee_sumamt bigint,
    fulamt_ownpay bigint,
    overlmt_selfpay bigint,
    preselfpay bigint,
    inscp_scp bigint,
    fund_pay_sumamt bigint,
    hosp_part bigint,
    psn_part bigint,
    own_acct_pay bigint,
    med_type text,
    mdtrt_id text,
    setl_id text,
    medins_setl_id text,
    rx_no text,
    business_date date NOT NULL,
    period text NOT NULL,
    held_at timestamptz NOT NULL,
    captured_at timestamptz,
    expires_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT payment_state_is_known CHECK (state IN (
        'held',      -- set aside until expires_at
        'captured',  -- held -> captured, or paid in one step: owed to the institution
        'released',  -- held -> released: given up, nothing was charged
        'expired',   -- held -> expired: nobody captured it in time
        'refunded',  -- captured -> refunded: all of it was given back; and back, by a reversal
        'reversed'   -- captured -> reversed: by its key; what was not refunded is given back
    )),
    CONSTRAINT payment_is_for_care_by_a_bill_or_for_a_premium CHECK (
        CASE
            WHEN purpose IN ('outpatient', 'inpatient', 'pharmacy') THEN num_nulls(
                institution, mdtrtarea_admvs, medfee_sumamt, fulamt_ownpay, overlmt_selfpay,
                preselfpay, inscp_scp, fund_pay_sumamt, hosp_part, psn_part, own_acct_pay, med_type
            ) = 0
            WHEN purpose IN ('premium_390', 'premium_410') THEN num_nonnulls(
                institution, mdtrtarea_admvs, medfee_sumamt, fulamt_ownpay, overlmt_selfpay,
                preselfpay, inscp_scp, fund_pay_sumamt, hosp_part, psn_part, own_acct_pay, med_type,
                mdtrt_id, setl_id, medins_setl_id, rx_no, admission_id, expires_at
            ) = 0
            ELSE false
        END
    ),
    CONSTRAINT payment_amounts_are_in_order CHECK (
        requested >= amount AND amount >= 1 AND captured BETWEEN 0 AND amount
    ),
    CONSTRAINT payment_refunds_never_exceed_its_capture CHECK (refunded BETWEEN 0 AND captured),
    CONSTRAINT payment_state_fits_its_amounts CHECK (
        CASE
            WHEN state IN ('held', 'released', 'expired') THEN captured = 0
            WHEN state = 'captured' THEN captured > refunded
            ELSE captured > 0 AND captured = refunded
        END AND (captured > 0) = (captured_at IS NOT NULL)
    ),
    CONSTRAINT payment_expires_at_its_deadline CHECK (
        state <> 'expired' OR expires_at IS NOT NULL
    ),
    CONSTRAINT payment_bill_adds_up CHECK (
        medfee_sumamt = fulamt_ownpay + overlmt_selfpay + preselfpay + inscp_scp
    ),
    CONSTRAINT payment_stays_within_personal_burden CHECK (
        own_acct_pay + CASE WHEN captured > 0 THEN captured - refunded ELSE amount END <= psn_part
    )
) WITH (fillfactor = 90);
CREATE INDEX payment_of_institution ON payment (institution, business_date);
CREATE INDEX payment_due ON payment (expires_at) WHERE state = 'held';
COMMENT ON COLUMN payment.period IS
'Beijing month in which it is cleared, settled when it is captured: never one that was cut.';
COMMENT ON COLUMN payment.amount IS 'What the sharers gave to it: held, or paid at once.';
COMMENT ON COLUMN payment.mdtrtarea_admvs IS
'The place of care, which is owed; a premium has none, and the fund of insuplc_admdvs is owed (R18).';
COMMENT ON COLUMN payment.expires_at IS 'By the clock of the database; a hold without it lives until it is answered.';
COMMENT ON COLUMN payment.admission_id IS 'The institution''s own name of a stay, which several holds may share.';

CREATE TABLE allocation (
    payment_id uuid NOT NULL,
    ordinal smallint NOT NULL,
    quota_id uuid NOT NULL,
    kind text NOT NULL,
    sharer_admdvs text NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (payment_id, ordinal),
    CONSTRAINT allocation_takes_something CHECK (amount > 0)
);
COMMENT ON TABLE allocation IS
'What each sharer gave to a payment, in the order of deduction (R12). What is charged of it fills
them from the first: min(amount, captured - refunded - what those before it gave), so a capture
of less frees the last first, and a refund restores the last first.';

CREATE TABLE premium (
    payment_id uuid PRIMARY KEY,
    person_id uuid NOT NULL,
    insutype text NOT NULL,
    year integer NOT NULL,
    levy_no text NOT NULL,
    psn_no text NOT NULL,
    state text NOT NULL,
    reason text,
    times integer NOT NULL,
    ask_again_at timestamptz NOT NULL,
    CONSTRAINT premium_is_of_a_scheme_that_mutual_aid_pays CHECK (insutype IN ('390', '410')),
    CONSTRAINT premium_state_is_known CHECK (state IN (
        'asked',     -- its money is held, and the levy's own fund was asked
        'accepted',  -- asked -> accepted: what was held is spent
        'refused',   -- asked -> refused: what was held is free
        'refunded'   -- accepted, asked -> refunded: the fund gave it back
    )),
    CONSTRAINT premium_was_asked_for CHECK (times >= 1)
);
CREATE UNIQUE INDEX premium_of_a_levy_is_paid_once ON premium (person_id, insutype, year, levy_no)
WHERE state IN ('asked', 'accepted');
CREATE INDEX premium_unanswered ON premium (ask_again_at) WHERE state = 'asked';
COMMENT ON TABLE premium IS
'What a payment of a premium is for, and what the fund of its levy said of it (R10).';
COMMENT ON COLUMN premium.psn_no IS 'The person as the fund''s province knew them when first asked.';
COMMENT ON COLUMN premium.times IS 'How often the fund was asked; it is asked until it answers.';

CREATE TABLE refund (
    refund_id uuid PRIMARY KEY,
    payment_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    reason text NOT NULL,
    bill_before jsonb,
    retakes uuid,
    business_date date NOT NULL,
    period text NOT NULL,
    at timestamptz NOT NULL,
    CONSTRAINT refund_kind_is_known CHECK (kind IN (
        'refund',    -- the institution gave all or part back
        'reversal',  -- the payment's key was reversed: what was not refunded was given back
        'retake'     -- a refund's key was reversed: its amount was charged again
    )),
    CONSTRAINT refund_moves_something CHECK (amount > 0),
    CONSTRAINT refund_is_retaken_once UNIQUE (retakes),
    CONSTRAINT refund_retakes_another CHECK ((kind = 'retake') = (retakes IS NOT NULL))
);
CREATE INDEX refund_of_payment ON refund (payment_id);
COMMENT ON TABLE refund IS 'Opposite rows: what was given back of a payment, or charged again. The original stays as it was (R22).';
COMMENT ON COLUMN refund.period IS 'Beijing month in which it is cleared, which may be later than its payment''s.';
COMMENT ON COLUMN refund.bill_before IS 'The bill that another one replaced, should the refund be reversed.';

CREATE TABLE reversal (
    caller text NOT NULL,
    person_id uuid NOT NULL,
    original_key text NOT NULL,
    payment_id uuid,
    refund_id uuid,
    at timestamptz NOT NULL,
    PRIMARY KEY (caller, person_id, original_key),
    CONSTRAINT reversal_of_a_refund_is_of_its_payment CHECK (
        refund_id IS NULL OR payment_id IS NOT NULL
    )
);
COMMENT ON TABLE reversal IS
'Keys that were reversed, each once; without a payment nothing had been asked under it yet, and its
receipt is a tombstone (R23).';

CREATE TABLE account_order (
    order_id uuid PRIMARY KEY,
    quota_id uuid NOT NULL,
    beneficiary_id uuid NOT NULL,
    kind text NOT NULL,
    amount bigint NOT NULL,
    payment_id uuid,
    refund_id uuid,
    freezes boolean,
    state text NOT NULL DEFAULT 'sent',
    reason text,
    sent_at timestamptz NOT NULL,
    asks integer NOT NULL DEFAULT 1,
    asked_at timestamptz NOT NULL,
    parked_at timestamptz,
    parked_because text,
    answered_at timestamptz,
    CONSTRAINT account_order_is_for_something CHECK (amount > 0),
    CONSTRAINT account_order_kind_is_known CHECK (
        kind IN ('freeze', 'unfreeze', 'debit', 'credit')
    ),
    CONSTRAINT account_order_that_credits_says_why CHECK (
        (kind = 'credit') = (refund_id IS NOT NULL) AND (kind = 'credit') = (freezes IS NOT NULL)
    ),
    CONSTRAINT account_order_state_is_known CHECK (state IN (
        'sent',       -- the province was told, once or more often
        'given_up',   -- sent -> given_up: a clerk counts on no answer to a freeze any more
        'confirmed',  -- sent, given_up -> confirmed: the account has changed
        'refused'     -- sent, given_up -> refused: it has not, and will not
    )),
    CONSTRAINT account_order_only_freeze_and_credit_are_refused CHECK (
        state <> 'refused' OR kind IN ('freeze', 'credit')
    ),
    CONSTRAINT account_order_only_a_freeze_is_given_up CHECK (
        state <> 'given_up' OR (kind = 'freeze' AND parked_at IS NOT NULL)
    ),
    CONSTRAINT account_order_answer_has_a_time CHECK (
        (state IN ('sent', 'given_up')) = (answered_at IS NULL)
    ),
    CONSTRAINT account_order_was_asked CHECK (asks >= 1),
    CONSTRAINT account_order_is_parked_for_a_reason CHECK (
        (parked_at IS NULL) = (parked_because IS NULL)
    )
) WITH (fillfactor = 80);
CREATE INDEX account_order_of_quota ON account_order (quota_id);
CREATE INDEX account_order_unanswered ON account_order (asks, asked_at)
WHERE state = 'sent' AND parked_at IS NULL;
CREATE INDEX account_order_parked ON account_order (parked_at)
WHERE state = 'sent' AND parked_at IS NOT NULL;
CREATE INDEX account_order_credit_refused ON account_order (answered_at)
WHERE kind = 'credit' AND state = 'refused';
COMMENT ON COLUMN account_order.freezes IS 'Whether what is credited is frozen again in the same step: its relation lives.';
COMMENT ON COLUMN account_order.asks IS 'How often the province was told, under one id; each time it waits longer.';
COMMENT ON COLUMN account_order.parked_at IS 'Since when it is for a clerk to decide; a late answer still counts.';
COMMENT ON INDEX account_order_credit_refused IS 'Money without an account to go to: a clerk''s list (R31).';

-- Books only grow: a statement that would change the past raises.
CREATE TRIGGER entry_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON entry
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER allocation_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON allocation
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER refund_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON refund
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER reversal_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON reversal
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER payment_is_never_deleted BEFORE DELETE OR TRUNCATE ON payment
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER premium_is_never_deleted BEFORE DELETE OR TRUNCATE ON premium
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER quota_is_never_deleted BEFORE DELETE OR TRUNCATE ON quota
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
CREATE TRIGGER account_order_is_never_deleted BEFORE DELETE OR TRUNCATE ON account_order
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
