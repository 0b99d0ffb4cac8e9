//! Notices: marked as read where they were read.

use actix_web::HttpResponse;
use serde::Deserialize;
use uuid::Uuid;

use crate::accounts::store::notices;
use crate::kernel::base::error::Result;
use crate::kernel::web::permit::SignedIn;
use crate::kernel::web::{Form, redirect};

/// Those that were shown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    id: Vec<Uuid>,
}

pub async fn read(ctx: SignedIn, Form(which): Form<Which>) -> Result<HttpResponse> {
    let (person, now) = (ctx.viewer().id, ctx.app.clock.now());
    ctx.app
        .db
        .write_unaudited("notices", move |conn| notices::mark_read(conn, person, &which.id, now))
        .await?;
    Ok(redirect("/"))
}
