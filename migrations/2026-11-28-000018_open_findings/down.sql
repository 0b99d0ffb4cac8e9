DROP INDEX findings_due;
