//! One's drafts of forms: kept while one types, offered again above the form, forgotten once it is saved.

use actix_web::HttpResponse;
use serde::Deserialize;
use uuid::Uuid;

use crate::accounts::views::{DraftOffer, DraftOffers};
use crate::kernel::base::error::{Error, Result};
use crate::kernel::base::show;
use crate::kernel::drafts::{Draft, discard as forget, keep as keep_draft, list_of_forms};
use crate::kernel::web::form::Pairs;
use crate::kernel::web::permit::SignedIn;
use crate::kernel::web::{Form, Query, redirect};

/// The longest name of a form or a tab, in bytes.
const NAME: usize = 400;
/// The longest text of a draft, in bytes.
const TEXT: usize = 512 * 1024;
/// Forms that are asked for at once.
const ASKED: usize = 40;

/// Which form, and the tab it is typed in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    place: String,
    #[serde(default)]
    tab: String,
}

impl Which {
    fn check(&self) -> Result<()> {
        let fits = |name: &str| name.len() <= NAME && !name.contains('\0');
        if !self.place.is_empty() && fits(&self.place) && fits(&self.tab) {
            return Ok(());
        }
        Err(Error::Refused("This is not the name of a form. Reload the page and try again.".into()))
    }
}

/// `POST /account/drafts?place=…&tab=…`: the fields of any form, kept as they are. Answers in words.
pub async fn keep(
    ctx: SignedIn,
    Query(which): Query<Which>,
    Form(pairs): Form<Pairs>,
) -> Result<HttpResponse> {
    which.check()?;
    let fields: Vec<(String, String)> = pairs.into_iter().collect();
    if fields.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > TEXT {
        return Err(Error::TooLarge("This draft is larger than 512 KiB. Shorten what you typed.".into()));
    }
    if fields.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return Err(Error::Refused(
            "This draft holds a null character and is not kept. Take the character out.".into(),
        ));
    }
    let (person, now) = (ctx.viewer().id, ctx.app.clock.now());
    let fields = serde_json::to_value(fields)?;
    ctx.app
        .db
        .write_unaudited("draft of a form", move |conn| {
            keep_draft(conn, Draft::of_form(person, &which.place, &which.tab), &fields, now)
        })
        .await?;
    let kept = now.with_timezone(&ctx.viewer().organisation.zone()).format("%H:%M");
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(format!("draft kept {kept}")))
}

/// The forms that stand on a page.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    #[serde(default)]
    place: Vec<String>,
}

/// `GET /account/drafts?place=…`: what was kept of these forms, each as a banner that its page puts above it.
pub async fn list(ctx: SignedIn, Query(mut asked): Query<Asked>) -> Result<HttpResponse> {
    if !ctx.partial {
        return Ok(redirect("/account"));
    }
    asked.place.truncate(ASKED);
    let person = ctx.viewer().id;
    let kept = ctx.read(move |conn| list_of_forms(conn, person, &asked.place)).await?;
    if kept.is_empty() {
        return Ok(HttpResponse::NoContent().finish());
    }
    let zone = ctx.viewer().organisation.zone();
    let offers = kept
        .into_iter()
        .map(|draft| DraftOffer {
            words: first_words(&draft.fields),
            place: draft.place,
            tab: draft.tab,
            at: show::time(draft.at, zone),
            fields: draft.fields,
        })
        .collect();
    ctx.page(&DraftOffers { offers })
}

/// The beginning of the longest text, by which somebody knows what they typed. Sentences go before single
/// words, and what was chosen from a list, an id, tells nobody anything.
fn first_words(fields: &[(String, String)]) -> String {
    let is_typed = |(name, value): &&(String, String)| {
        let says = value.trim();
        !name.starts_with("had.") && !name.starts_with("base.") && Uuid::try_parse(says).is_err()
    };
    let typed = fields.iter().filter(is_typed).map(|(_, value)| value.trim());
    let longest = typed.max_by_key(|text| (text.contains(char::is_whitespace), text.len()));
    let line = longest.unwrap_or_default().lines().next().unwrap_or_default();
    let mut words: String = line.chars().take(WORDS).collect();
    if line.chars().nth(WORDS).is_some() {
        words.push('…');
    }
    words
}

/// So many characters of a draft are shown before it is restored.
const WORDS: usize = 60;

/// `POST /account/drafts/discard`: what a form held is saved, or was thrown away.
pub async fn discard(ctx: SignedIn, Form(which): Form<Which>) -> Result<HttpResponse> {
    which.check()?;
    let person = ctx.viewer().id;
    ctx.app
        .db
        .write_unaudited("draft of a form", move |conn| {
            forget(conn, Draft::of_form(person, &which.place, &which.tab))
        })
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_known_by_what_was_typed() {
        let of = |fields: &[(&str, &str)]| {
            let fields: Vec<_> = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            first_words(&fields)
        };
        let id = "01a224fc-eebf-77ae-8449-d2a1d4659387";
        assert_eq!(
            of(&[("repository", id), ("name", "Dump keys"), ("had.name", "Dump all the keys")]),
            "Dump keys"
        );
        assert_eq!(of(&[("key", "attack-enterprise-18.1"), ("name", " Two words ")]), "Two words");
        assert_eq!(of(&[("repository", id), ("kind", "private")]), "private");
        assert_eq!(of(&[("repository", id)]), "");
        assert_eq!(of(&[("notes", &"long ".repeat(30))]), format!("{}…", "long ".repeat(12)));
    }
}
