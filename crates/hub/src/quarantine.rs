//! The quarantine: what comes in and would harm everybody if it were true is held back until a curator has looked at
//! it. And the other way a curator judges: saying that an indicator is a false positive.

use serde_json::value::RawValue;
use shieldwall_exchange::entries::{
    Disputed, HeldBack, INDICATOR_DISPUTED, OBJECT_REJECTED, OBJECT_RELEASED, Rejected,
};
use shieldwall_exchange::life::Hold;
use shieldwall_exchange::stix::Taken;
use shieldwall_ledger::Draft;
use shieldwall_ledger::reading::{ReadError, Reading};
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;

use crate::api::{Refused, Report};
use crate::fold::collection;
use crate::fold::held::{DecidedState, HeldState, key};
use crate::intake::{Desk, Known, OTHERS, held, refused};
use crate::problem::Problem;

/// A good object that is to be held back.
pub(crate) struct Suspicious<'a> {
    pub(crate) taken: Taken<'a>,
    pub(crate) hold: Hold,
}

/// What is known of an object before it is held back.
enum Place {
    Others,
    Shared,
    Held,
    Rejected(String),
    New,
}

impl Desk {
    /// What is to be recorded so as to hold back what was judged suspicious; tells it in the report, records nothing.
    ///
    /// # Errors
    /// As `App::read`.
    pub(crate) async fn hold_back(
        &self,
        suspicious: &[Suspicious<'_>],
        known: Known,
        report: &mut Report,
    ) -> Result<Vec<Vec<u8>>, Problem> {
        let mut bodies = Vec::new();
        for piece in suspicious.chunks(limits::COMMIT_ENTRIES_MAX) {
            let places = self.places(piece, known).await?;
            for (one, place) in piece.iter().zip(places) {
                let Suspicious { taken: Taken { object, bytes, .. }, hold } = one;
                match place {
                    Place::Others => {
                        report.refused.push(refused(object, "id", "stix.owner.other", OTHERS.into()));
                        continue;
                    }
                    Place::Shared => {
                        report.repeated += 1;
                        continue;
                    }
                    Place::Rejected(reason) => {
                        let reason = format!("a curator has rejected this object: {reason}");
                        report.refused.push(refused(object, "id", "life.rejected", reason));
                        continue;
                    }
                    Place::Held => {}
                    Place::New => match body_of(bytes, hold) {
                        Some(body) => bodies.push(body),
                        None => {
                            report.refused.push(refused(object, "", &hold.code, hold.detail.clone()));
                            continue;
                        }
                    },
                }
                let path = if hold.code == "life.held.ahead" { "modified" } else { "pattern" };
                report.held.push(refused(object, path, &hold.code, hold.detail.clone()));
            }
        }
        Ok(bodies)
    }

    async fn places(&self, piece: &[Suspicious<'_>], known: Known) -> Result<Vec<Place>, Problem> {
        let wanted: Vec<(String, shieldwall_model::time::Timestamp, String)> = piece
            .iter()
            .map(|one| {
                let id = one.taken.object.id.to_string();
                let key = key(&id, &one.taken.bytes);
                (id, one.taken.object.version, key)
            })
            .collect();
        let (scope, group, member) = (self.scope.clone(), self.group, self.permit.member());
        self.app
            .read(move |reading| {
                let place = |(id, version, key): &(String, _, String)| {
                    Ok(match held(reading, &scope, group, id, *version)? {
                        Some(held) if held.owner != Some(member) => Place::Others,
                        Some(held) if held.this_version || known == Known::ById => Place::Shared,
                        // A value of a list comes with other times each day, and was judged once for all.
                        _ if known == Known::ById => {
                            let before = reading.document(&scope, collection::HELD_AS, group, id)?;
                            let before =
                                before.and_then(|known| serde_json::from_slice::<String>(&known.body).ok());
                            quarantined(reading, &scope, group, before.as_ref().unwrap_or(key))?
                        }
                        _ => quarantined(reading, &scope, group, key)?,
                    })
                };
                wanted.iter().map(place).collect()
            })
            .await
    }

    /// What is held back under `key`.
    ///
    /// # Errors
    /// 404 when nothing is, or it is hidden.
    async fn held(&self, key: &str) -> Result<HeldState, Problem> {
        let (scope, group, wanted) = (self.scope.clone(), self.group, key.to_owned());
        let document =
            self.app.read(move |reading| reading.document(&scope, collection::HELD, group, &wanted)).await?;
        document.and_then(|document| serde_json::from_slice(&document.body).ok()).ok_or_else(Problem::absent)
    }

    /// Releases what is held back under `key`: it is shared from now on, and its owner is who sent it.
    ///
    /// # Errors
    /// 404 when nothing is, 403 for the sender's own member where others are party to the group: a second pair of
    /// eyes is what the quarantine is for.
    pub async fn release(&self, key: &str) -> Result<(), Problem> {
        let held = self.held(key).await?;
        let directory = self.app.directory();
        let alone = directory.group(self.group).is_some_and(|group| group.members.len() < 2);
        if held.owner == self.permit.member() && !alone {
            return Err(Problem::new(
                axum::http::StatusCode::FORBIDDEN,
                "held.release.own",
                "your own member sent this; a curator of another member releases it, or you reject it and send a better one",
            ));
        }
        let body = held.object.get().as_bytes().to_vec();
        self.app.append(vec![Draft::new(&self.permit, self.group, OBJECT_RELEASED, body)]).await?;
        Ok(())
    }

    /// Rejects what is held back under `key`.
    ///
    /// # Errors
    /// 404 when nothing is, 422 for a reason that says nothing.
    pub async fn reject(&self, key: &str, reason: &str) -> Result<(), Problem> {
        let reason = said(reason)?;
        self.held(key).await?;
        let body = Rejected { key: key.to_owned(), reason };
        let bytes = serde_json::to_vec(&body).map_err(|error| Problem::fault(&error))?;
        self.app.append(vec![Draft::new(&self.permit, self.group, OBJECT_REJECTED, bytes)]).await?;
        Ok(())
    }

    /// Says that the indicator `id` is a false positive, or takes that back. The last word of each member counts.
    ///
    /// # Errors
    /// 404 when there is no such indicator here, 422 for a reason that says nothing.
    pub async fn dispute(&self, id: &ObjectId, reason: &str, withdrawn: bool) -> Result<(), Problem> {
        let reason = if withdrawn && reason.trim().is_empty() { String::new() } else { said(reason)? };
        let (scope, group, wanted) = (self.scope.clone(), self.group, id.to_string());
        let found = self
            .app
            .read(move |reading| reading.document(&scope, collection::INDICATOR, group, &wanted))
            .await?;
        found.ok_or_else(Problem::absent)?;
        let body = Disputed { id: id.clone(), reason, withdrawn };
        let bytes = serde_json::to_vec(&body).map_err(|error| Problem::fault(&error))?;
        self.app.append(vec![Draft::new(&self.permit, self.group, INDICATOR_DISPUTED, bytes)]).await?;
        Ok(())
    }
}

fn said(reason: &str) -> Result<String, Problem> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > limits::NAME_BYTES_MAX * 10 {
        return Err(Problem::refused("curate.reason", "say in 1 to 2000 bytes why"));
    }
    Ok(reason.to_owned())
}

fn quarantined(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    key: &str,
) -> Result<Place, ReadError> {
    if reading.document(scope, collection::HELD, group, key)?.is_some() {
        return Ok(Place::Held);
    }
    let decided = reading
        .document(scope, collection::DECIDED, group, key)?
        .and_then(|document| serde_json::from_slice::<DecidedState>(&document.body).ok());
    Ok(match decided {
        Some(DecidedState { released: false, reason, .. }) => Place::Rejected(reason.unwrap_or_default()),
        _ => Place::New,
    })
}

/// The entry's body; `None` when the object leaves no room for the reason beside it.
fn body_of(slice: &[u8], hold: &Hold) -> Option<Vec<u8>> {
    let object: &RawValue = serde_json::from_slice(slice).ok()?;
    let back = HeldBack { code: (&*hold.code).into(), detail: (&*hold.detail).into(), object };
    serde_json::to_vec(&back).ok().filter(|body| body.len() <= limits::ENTRY_BYTES_MAX)
}

impl Refused {
    /// Whether this tells of an object that is held back.
    pub fn is_hold(&self) -> bool {
        self.code.starts_with("life.held.")
    }
}
