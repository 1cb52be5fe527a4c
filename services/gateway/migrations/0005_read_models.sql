-- What lists and timelines are read from: fed by Kafka, never asked by a rule. No name, no number.

CREATE TABLE listed_payment (
    payment_id uuid PRIMARY KEY,
    institution text NOT NULL,
    business_date date NOT NULL,
    held_at timestamptz NOT NULL
);
COMMENT ON TABLE listed_payment IS 'Which payments an institution has; what they are now, the wallet is asked.';
COMMENT ON COLUMN listed_payment.business_date IS 'The Beijing day of held_at (R33).';
CREATE INDEX listed_payment_by_day
ON listed_payment (institution, business_date, held_at DESC, payment_id DESC);

CREATE TABLE known_quota (
    quota_id uuid PRIMARY KEY,
    relation_id uuid NOT NULL,
    sharer_id uuid NOT NULL,
    beneficiary_id uuid NOT NULL,
    ended boolean NOT NULL DEFAULT false
);
CREATE INDEX known_quota_of_sharer ON known_quota (sharer_id);

CREATE TABLE happening (
    person_id uuid NOT NULL,
    event_id uuid NOT NULL,
    at timestamptz NOT NULL,
    type text NOT NULL,
    relation_id uuid,
    quota_id uuid,
    payment_id uuid,
    state text NOT NULL,
    amount bigint,
    PRIMARY KEY (person_id, event_id),
    CONSTRAINT happening_is_about_something CHECK (num_nonnulls(relation_id, payment_id) = 1)
);
COMMENT ON TABLE happening IS 'What somebody''s timeline shows: relations and quotas of both, payments of the beneficiary.';
CREATE INDEX happening_by_time ON happening (person_id, at DESC, event_id DESC);
CREATE INDEX happening_of_payment ON happening (payment_id) WHERE payment_id IS NOT NULL;

CREATE TABLE shared_amount (
    quota_id uuid NOT NULL,
    event_id uuid NOT NULL,
    on_day date NOT NULL,
    type text NOT NULL,
    amount bigint NOT NULL,
    PRIMARY KEY (quota_id, event_id),
    CONSTRAINT shared_amount_is_some CHECK (amount > 0)
);
COMMENT ON TABLE shared_amount IS 'What the sharer of a quota sees of a payment: amount and Beijing day, never what was bought.';
COMMENT ON COLUMN shared_amount.quota_id IS 'May be told before its quota is: no order holds between topics.';

CREATE TABLE read_up_to (
    topic text NOT NULL,
    partition integer NOT NULL,
    as_of timestamptz NOT NULL,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
COMMENT ON TABLE read_up_to IS 'Until when each partition was read; the oldest of them is as_of of a list.';
