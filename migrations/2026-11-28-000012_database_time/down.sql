ALTER TABLE procedures DROP COLUMN inputs;
DROP FUNCTION procedure_inputs_of(jsonb);
DROP INDEX audit.events_digest;
DROP INDEX audit.events_subject;
CREATE INDEX events_subject ON audit.events (subject_type, subject_id, at DESC, id DESC) WHERE subject_id IS NOT NULL;
DROP INDEX audit.events_request;
DROP INDEX audit.events_search;
CREATE INDEX events_search ON audit.events USING gin (search gin_trgm_ops) WITH (fastupdate = on);
DROP EXTENSION btree_gin;
