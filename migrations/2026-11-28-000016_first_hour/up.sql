-- The checklist of the first hour: one of its steps happens outside of the product and is noted here, and it can be
-- put away. Whoever has engagements already is beyond it.
ALTER TABLE settings ADD COLUMN keys_kept_at timestamptz, ADD COLUMN first_hour_over_at timestamptz;
ALTER TABLE settings DISABLE TRIGGER audited;
UPDATE settings SET first_hour_over_at = now() WHERE EXISTS (SELECT FROM engagements);
ALTER TABLE settings ENABLE TRIGGER audited;
