DELETE FROM notices WHERE client_id IS NULL;
ALTER TABLE notices ALTER COLUMN client_id SET NOT NULL;
ALTER TABLE job_runs DROP COLUMN said;
DROP INDEX audit.seals_key;
DROP TABLE audit_verifications;
