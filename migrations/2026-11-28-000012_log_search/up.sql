-- What the search of the audit log finds beside words: the request of an error page, the thing that an event is about
-- whatever its kind, and a file by its SHA-256.
CREATE INDEX events_request ON audit.events (request_id) WHERE request_id IS NOT NULL;
DROP INDEX audit.events_subject;
CREATE INDEX events_subject ON audit.events (subject_id, at DESC, id DESC) WHERE subject_id IS NOT NULL;
CREATE INDEX events_digest ON audit.events ((detail ->> 'sha256') text_pattern_ops)
    WHERE (detail ->> 'sha256') IS NOT NULL;
