//! Handlers of sign-in, of what people do to their own account, and of their notices and drafts.

pub mod drafts;
pub mod notices;
pub mod own;
pub mod sign_in;
