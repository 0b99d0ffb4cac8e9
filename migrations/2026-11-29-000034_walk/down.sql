DROP INDEX library_procedures_name;
CREATE INDEX library_procedures_name ON library_procedures (lower(name), id) WHERE withdrawn_at IS NULL;
