-- Findings across reports are listed by when they are due.
CREATE INDEX findings_due ON findings ((coalesce(due_on, 'infinity'::date)), id);
