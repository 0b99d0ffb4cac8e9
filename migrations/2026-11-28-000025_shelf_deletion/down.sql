ALTER TABLE library_procedure_versions
    DROP CONSTRAINT library_procedure_versions_procedure_id_fkey,
    ADD CONSTRAINT library_procedure_versions_procedure_id_fkey
        FOREIGN KEY (procedure_id) REFERENCES library_procedures;
