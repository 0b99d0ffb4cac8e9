-- Versions go with their procedure, when a repository is deleted with what it holds. The app's role may not delete them
-- by themselves.
ALTER TABLE library_procedure_versions
    DROP CONSTRAINT library_procedure_versions_procedure_id_fkey,
    ADD CONSTRAINT library_procedure_versions_procedure_id_fkey
        FOREIGN KEY (procedure_id) REFERENCES library_procedures ON DELETE CASCADE;
