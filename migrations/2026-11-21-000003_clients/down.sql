DROP TABLE assets, client_access, clients;
