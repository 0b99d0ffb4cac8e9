ALTER TABLE settings DROP COLUMN keys_kept_at, DROP COLUMN first_hour_over_at;
