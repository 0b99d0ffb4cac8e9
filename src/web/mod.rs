//! Requests and answers: the context of a request, forms, the page frame, assets, the edge that renders what went wrong.

pub mod assets;
pub mod csv;
pub mod ctx;
pub mod edge;
pub mod form;
pub mod frame;
pub mod health;
pub mod live;
pub mod markdown;

pub use ctx::{Ctx, redirect, redirect_with, refusal_noted};
pub use form::{Form, Query};
pub use frame::{Crumb, Frame, Section};
