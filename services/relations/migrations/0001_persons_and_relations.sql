-- Persons, where they are insured, and who is whose relative.

CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    version bigint NOT NULL,
    psn_cert_type text NOT NULL,
    blind_index bytea NOT NULL,
    name_index bytea NOT NULL,
    key_id text NOT NULL,
    nonce bytea NOT NULL,
    ciphertext bytea NOT NULL,
    born_on date,
    changed_at timestamptz NOT NULL,
    CONSTRAINT person_has_a_certificate_of_their_own UNIQUE (blind_index),
    CONSTRAINT person_version_starts_at_one CHECK (version >= 1),
    CONSTRAINT person_indexes_are_digests CHECK (
        octet_length(blind_index) = 32 AND octet_length(name_index) = 32
    ),
    CONSTRAINT person_is_sealed_with_a_nonce CHECK (octet_length(nonce) = 12)
);
COMMENT ON TABLE person IS 'A person for ever; version grows with every change.';
COMMENT ON COLUMN person.blind_index IS 'HMAC-SM3 of certificate type and number: finds, never tells.';
COMMENT ON COLUMN person.name_index IS 'HMAC-SM3 of certificate and name: compares, never tells.';
COMMENT ON COLUMN person.ciphertext IS 'SM4-GCM of {cert_no, name} under our own key.';

CREATE TABLE psn_number (
    pool_admdvs text NOT NULL,
    psn_no text NOT NULL,
    province text NOT NULL,
    person_id uuid NOT NULL REFERENCES person,
    PRIMARY KEY (pool_admdvs, psn_no),
    CONSTRAINT psn_number_is_its_persons UNIQUE (pool_admdvs, psn_no, person_id)
);
CREATE INDEX psn_number_by_number ON psn_number (psn_no, province);
CREATE INDEX psn_number_of_person ON psn_number (person_id);
COMMENT ON TABLE psn_number IS 'What a pooling area calls a person; one number there is one person.';

CREATE TABLE enrolment (
    person_id uuid NOT NULL,
    insutype text NOT NULL,
    pool_admdvs text NOT NULL,
    psn_no text NOT NULL,
    -- active     insured                              -> suspended, ended, moved
    -- suspended  insured, nothing may be used         -> active, ended, moved
    -- ended      no longer insured in this scheme     -> active (insured again)
    -- moved      insured in another pooling area now  -> active (moved back)
    status text NOT NULL,
    since date NOT NULL,
    told_at timestamptz NOT NULL,
    reason text,
    PRIMARY KEY (person_id, insutype, pool_admdvs, psn_no),
    CONSTRAINT enrolment_is_under_a_number_of_the_person
    FOREIGN KEY (pool_admdvs, psn_no, person_id)
    REFERENCES psn_number (pool_admdvs, psn_no, person_id),
    CONSTRAINT enrolment_scheme_is_known CHECK (insutype IN ('310', '340', '390', '410', '510')),
    CONSTRAINT enrolment_status_is_known CHECK (
        status IN ('active', 'suspended', 'ended', 'moved')
    )
);
COMMENT ON COLUMN enrolment.since IS 'The Beijing day from which the status holds.';
COMMENT ON COLUMN enrolment.told_at IS 'When the province told it: orders two changes of one day.';

CREATE TABLE enrolment_event (
    person_id uuid NOT NULL REFERENCES person,
    version bigint NOT NULL,
    insutype text NOT NULL,
    pool_admdvs text NOT NULL,
    psn_no text NOT NULL,
    status text NOT NULL,
    since date NOT NULL,
    told_at timestamptz NOT NULL,
    reason text,
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, version)
);
COMMENT ON TABLE enrolment_event IS 'What a province told that changed a person; one a version.';

CREATE TRIGGER enrolment_event_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON enrolment_event
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();

CREATE TABLE enrolment_ahead (
    pool_admdvs text NOT NULL,
    psn_no text NOT NULL,
    insutype text NOT NULL,
    since date NOT NULL,
    province text NOT NULL,
    status text NOT NULL,
    told_at timestamptz NOT NULL,
    reason text,
    psn_cert_type text,
    blind_index bytea,
    name_index bytea,
    key_id text,
    nonce bytea,
    ciphertext bytea,
    born_on date,
    outcome text,
    PRIMARY KEY (pool_admdvs, psn_no, insutype, since),
    CONSTRAINT enrolment_ahead_is_sealed_or_names_nobody CHECK (
        num_nulls(psn_cert_type, blind_index, name_index, key_id, nonce, ciphertext) IN (0, 6)
    )
);
CREATE INDEX enrolment_ahead_due ON enrolment_ahead (since) WHERE outcome IS NULL;
COMMENT ON TABLE enrolment_ahead IS 'What a province told for a day to come; it takes effect on that day.';
COMMENT ON COLUMN enrolment_ahead.outcome IS 'What became of it on its day: recorded, or why not.';

CREATE TABLE registration (
    person_id uuid NOT NULL REFERENCES person,
    mdtrtarea_admvs text NOT NULL,
    valid_from date NOT NULL,
    valid_to date NOT NULL,
    told_at timestamptz NOT NULL,
    times_told integer NOT NULL,
    PRIMARY KEY (person_id, mdtrtarea_admvs),
    CONSTRAINT registration_was_told CHECK (times_told >= 1)
);
COMMENT ON TABLE registration IS 'Where a person may be treated away from home (R26), as told last.';

CREATE TABLE relation (
    relation_id uuid PRIMARY KEY,
    sharer_id uuid NOT NULL REFERENCES person,
    beneficiary_id uuid NOT NULL REFERENCES person,
    kind text NOT NULL,
    -- proposed    one of the two consented, the other is asked     -> activating, declined
    -- activating  both consented, province and wallet are asked    -> active, ending; declined
    --             or ended, where the wallet has not been told yet
    -- active      the wallet has opened a quota                    -> suspended, ending
    -- suspended   an insurance is suspended: no new holds          -> active, ending
    -- ending      one wants out or may no longer; wallet is asked  -> ended
    -- ended       final
    -- declined    final: the other one did not consent
    state text NOT NULL,
    sequence integer NOT NULL,
    proposed_by text NOT NULL,
    commitment_version text NOT NULL,
    sharer_psn_no text NOT NULL,
    sharer_pool_admdvs text NOT NULL,
    beneficiary_pool_admdvs text NOT NULL,
    lapsed_on date,
    ends_at timestamptz,
    inquiry_id uuid UNIQUE,
    kinship text,
    kinship_province text,
    kinship_asked_at timestamptz,
    kinship_times integer NOT NULL DEFAULT 0,
    proposed_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    CONSTRAINT relation_is_between_two_people CHECK (sharer_id <> beneficiary_id),
    CONSTRAINT relation_state_is_known CHECK (
        state IN (
            'proposed', 'activating', 'active', 'suspended', 'ending', 'ended', 'declined'
        )
    ),
    CONSTRAINT relation_sequence_starts_at_one CHECK (sequence >= 1),
    CONSTRAINT relation_is_proposed_by_one_of_them CHECK (
        proposed_by IN ('sharer', 'beneficiary')
    ),
    CONSTRAINT relation_kinship_is_asked_for_by_an_inquiry CHECK (
        num_nulls(inquiry_id, kinship, kinship_province, kinship_asked_at) IN (0, 4)
        AND (inquiry_id IS NULL) = (kinship_times = 0)
    ),
    CONSTRAINT relation_kinship_is_known CHECK (
        kinship IN (
            'asked',    -- the province was asked                  -> yes, no, unknown
            'unknown',  -- it does not know, or keeps silent; a clerk looks at proof -> yes, no
            'yes',      -- they are what they say: the wallet was told
            'no'        -- they are not: the relation is declined
        )
    ),
    CONSTRAINT relation_that_lapsed_has_a_deadline CHECK (
        (lapsed_on IS NULL) = (ends_at IS NULL) AND (ends_at IS NULL OR state = 'suspended')
    )
);
CREATE UNIQUE INDEX relation_is_open_once ON relation (sharer_id, beneficiary_id)
WHERE state NOT IN ('ended', 'declined');
CREATE INDEX relation_of_sharer ON relation (sharer_id, relation_id);
CREATE INDEX relation_of_beneficiary ON relation (beneficiary_id, relation_id);
CREATE INDEX relation_whose_kinship_is_asked ON relation (kinship_asked_at)
WHERE kinship = 'asked';
COMMENT ON COLUMN relation.kinship_times IS 'How often the province was asked; each time it waits longer.';
CREATE INDEX relation_that_lapsed ON relation (ends_at) WHERE ends_at IS NOT NULL;
COMMENT ON COLUMN relation.sharer_psn_no IS 'With its pool: the employee enrolment whose account gives (R1, R34).';
COMMENT ON COLUMN relation.beneficiary_pool_admdvs IS 'Where the beneficiary is insured; moving away ends it (R5).';
COMMENT ON COLUMN relation.lapsed_on IS 'Beijing day on which the beneficiary''s scheme ended and no other had followed.';
COMMENT ON COLUMN relation.ends_at IS 'When it ends, unless another scheme of the same area follows without a gap (R5).';
COMMENT ON TABLE relation IS 'Directed: the sharer gives, the beneficiary may spend (R4).';
COMMENT ON COLUMN relation.sequence IS 'How many states it has entered; relation_event has each.';
COMMENT ON COLUMN relation.kind IS 'What the beneficiary is to the sharer (R2).';

CREATE TABLE relation_event (
    relation_id uuid NOT NULL REFERENCES relation,
    sequence integer NOT NULL,
    state text NOT NULL,
    actor_id uuid REFERENCES person,
    guardian_id uuid REFERENCES person,
    happened_at timestamptz NOT NULL,
    PRIMARY KEY (relation_id, sequence),
    CONSTRAINT relation_event_sequence_starts_at_one CHECK (sequence >= 1)
);
COMMENT ON TABLE relation_event IS 'Each state a relation entered, and who brought it there.';
COMMENT ON COLUMN relation_event.actor_id IS 'The person whose will it was; none where it was nobody''s.';
COMMENT ON COLUMN relation_event.guardian_id IS 'Who said so for a person under age (R13).';

CREATE TRIGGER relation_event_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON relation_event
FOR EACH STATEMENT EXECUTE FUNCTION forbid_change();
