-- Several successors of one technique: which of them counts, somebody has to say.
ALTER TABLE techniques ADD COLUMN successors text[] NOT NULL DEFAULT '{}';

-- What was brought to the library, how far its check is, and what became of it. The file lies in the attachment
-- storage under imports/ until the import is applied or discarded. Its acts have events of their own; the rest is
-- the check's bookkeeping, so the table is not watched.
CREATE TABLE library_imports (
    id              uuid PRIMARY KEY,
    file_name       text NOT NULL,
    size            bigint NOT NULL,
    kind            text CHECK (kind IN ('attack', 'atomics', 'test_plan', 'layer', 'archive')),
    -- Where procedures go; none for the repository that a source has of its own.
    repository_id   uuid REFERENCES repositories ON DELETE CASCADE,
    attack_version  text,
    withdraw        boolean NOT NULL DEFAULT false,
    state           text NOT NULL
        CHECK (state IN ('waiting', 'checking', 'ready', 'failed', 'applied', 'discarded', 'undone')),
    progress        integer NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
    doing           text NOT NULL DEFAULT '',
    claimed_at      timestamptz,
    counts          jsonb NOT NULL DEFAULT '{}',
    -- Of everything that the preview would change: when the library has changed since, it is another.
    outline         bytea,
    created_at      timestamptz NOT NULL,
    created_by      uuid REFERENCES people,
    closed_at       timestamptz,
    closed_by       uuid REFERENCES people
);
CREATE INDEX library_imports_newest ON library_imports (created_at DESC, id DESC);
CREATE INDEX library_imports_open ON library_imports (created_at) WHERE state IN ('waiting', 'checking', 'ready', 'failed');

-- What an import would do, or did, to each object; what it would not take, and why.
CREATE TABLE library_import_changes (
    import_id   uuid NOT NULL REFERENCES library_imports ON DELETE CASCADE,
    position    integer NOT NULL,
    verdict     text NOT NULL CHECK (verdict IN ('fault', 'refused', 'conflict', 'changed', 'added', 'withdrawn', 'kept',
        'warning', 'noted', 'came', 'left', 'renamed', 'moved')),
    key         text NOT NULL DEFAULT '',
    label       text NOT NULL DEFAULT '',
    detail      jsonb NOT NULL DEFAULT '{}',
    -- What stood before, for taking it back.
    subject_id  uuid,
    before      jsonb,
    PRIMARY KEY (import_id, position)
);
CREATE INDEX library_import_changes_verdict ON library_import_changes (import_id, verdict, position);
CREATE INDEX library_import_changes_subject ON library_import_changes (subject_id) WHERE subject_id IS NOT NULL;
