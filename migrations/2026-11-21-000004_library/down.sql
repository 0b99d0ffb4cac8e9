ALTER TABLE library_procedures DROP CONSTRAINT library_procedures_current;
DROP TABLE test_plan_procedures, test_plans, library_procedure_versions, library_procedures, repositories,
    techniques, tactics, attack_versions, methodologies;
