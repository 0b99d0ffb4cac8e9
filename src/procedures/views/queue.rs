//! The page at the end of a queue.

use askama::Template;

use crate::kernel::base::ids::EngagementId;
use crate::kernel::web::Frame;
use crate::kernel::web::filters;

/// Another engagement in which something waits on the person.
pub struct Elsewhere {
    pub engagement: EngagementId,
    pub title: String,
    pub client: String,
    pub waiting: usize,
    /// Address of the first that waits.
    pub first: String,
}

#[derive(Template)]
#[template(path = "procedures/queue.html")]
pub struct End {
    pub frame: Frame,
    /// Address of what still waits here, where something does.
    pub first: Option<String>,
    pub left: usize,
    /// "waiting on you"
    pub words: &'static str,
    pub title: String,
    pub url: String,
    pub others: Vec<Elsewhere>,
}
