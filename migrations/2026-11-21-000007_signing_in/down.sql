DROP TRIGGER audited ON people;
CREATE CONSTRAINT TRIGGER audited AFTER INSERT OR DELETE
    OR UPDATE OF id, name, email, password_hash, status, created_at, last_sign_in_at, password_changed_at, deleted_at, version ON people
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit.require_event();
ALTER TABLE roles DROP COLUMN requires_two_factor;
ALTER TABLE settings DROP COLUMN two_factor_rule;
ALTER TABLE sessions DROP COLUMN id, DROP COLUMN renew;
DROP TABLE recovery_codes;
ALTER TABLE people DROP CONSTRAINT people_totp, DROP COLUMN totp_secret, DROP COLUMN totp_since, DROP COLUMN totp_step;
DROP TABLE known_devices;
DROP TABLE refusal_counts;
DROP TABLE attempt_counts;
DELETE FROM drafts d USING drafts newer
    WHERE (d.person_id, d.subject_type, d.subject_id) = (newer.person_id, newer.subject_type, newer.subject_id)
        AND (d.updated_at, d.tab) < (newer.updated_at, newer.tab);
ALTER TABLE drafts DROP CONSTRAINT drafts_pkey, ADD PRIMARY KEY (person_id, subject_type, subject_id);
