//! Engagements, the Runbooks of the rail: the list, the wizard that makes one, the engagement's page with its
//! sections, everything that plans one (details, procedures, operators, inputs), and requests with their
//! approval. What is written on a single procedure belongs to `procedures`, the status to `lifecycle`.

pub mod approval;
pub mod domain;
pub mod glance;
pub mod pages;
pub mod periods;
pub mod store;
pub mod views;
pub mod wizard;
