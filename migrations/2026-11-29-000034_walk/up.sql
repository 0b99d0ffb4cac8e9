-- The list of procedures is walked by name. Without a condition the planner knows what the index holds, also of a
-- library that was filled a moment ago and that it has no statistics of.
DROP INDEX library_procedures_name;
CREATE INDEX library_procedures_name ON library_procedures (lower(name), id);
