DROP TABLE library_import_changes, library_imports;
ALTER TABLE techniques DROP COLUMN successors;
