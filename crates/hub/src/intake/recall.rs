//! Taking back: an object as a whole, or some of its versions.
//!
//! TAXII has no word for a deletion, so who only polls would go on believing. What is taken back is therefore followed by
//! one more version of it that says `revoked` (STIX 2.1 section 3.6), made here in the owner's name; those who may hold
//! the object are told of it (`taxii::page`), while it is gone for everybody else. What has no versions (observables,
//! marking definitions) cannot be revoked in STIX, and its deletion reaches nobody by TAXII alone.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use shieldwall_exchange::entries::{
    OBJECT_RECALLED, OBJECT_REVOKED, OBJECT_SHARED, Recalled, VERSIONS_RECALLED, VersionsRecalled,
};
use shieldwall_exchange::stix;
use shieldwall_ledger::Draft;
use shieldwall_ledger::reading::{ObjectQuery, ReadError, Reading, VersionFilter};
use shieldwall_ledger::views::ObjectRecord;
use shieldwall_model::access::ReadScope;
use shieldwall_model::id::{GroupId, ObjectId};
use shieldwall_model::limits;
use shieldwall_model::time::Timestamp;

use super::Desk;
use crate::problem::Problem;

/// Which versions of an object are taken back: `match[version]` and `match[spec_version]` of TAXII's DELETE.
pub struct Versions {
    /// These.
    pub versions: VersionFilter,
    /// Of these specifications, unless empty.
    pub spec_versions: Vec<String>,
}

impl Desk {
    /// Takes back the object `id`, in all its versions, from everybody.
    ///
    /// # Errors
    /// 404 when absent, hidden or taken back already, 403 for anybody but the owner, 422 for a reason that says nothing.
    pub async fn recall(&self, id: &str, reason: &str) -> Result<(), Problem> {
        let (id, reason) = self.owned(id, reason).await?;
        let (scope, group, wanted) = (self.scope.clone(), self.group, id.to_string());
        let last = self
            .app
            .read(move |reading| bytes_of(reading, &scope, group, &wanted, VersionFilter::default()))
            .await?;
        let body = Recalled { id, reason, replaced_by: None }.to_body();
        let mut drafts = vec![self.draft(OBJECT_RECALLED, body)];
        let revoked = last.and_then(|last| stix::revoked(&last, self.app.now()));
        // The few bytes that say it may be too many for an object that is as large as any may be.
        if let Some(revoked) = revoked.filter(|revoked| revoked.len() <= limits::OBJECT_BYTES_MAX) {
            drafts.push(self.draft(OBJECT_REVOKED, revoked));
        }
        self.app.append(drafts).await?;
        Ok(())
    }

    /// Takes back some versions of the object `id`; all of them, as [`Desk::recall`] does, should none be left.
    ///
    /// Where the last version goes, the one before it is the last again, and is added anew for all who poll to see.
    ///
    /// # Errors
    /// As [`Desk::recall`]; 404 also when no version fits.
    pub async fn recall_versions(&self, id: &str, which: Versions, reason: &str) -> Result<(), Problem> {
        let (object, words) = self.owned(id, reason).await?;
        let (scope, group) = (self.scope.clone(), self.group);
        let plan = self.app.read(move |reading| plan(reading, &scope, group, &object, which)).await?;
        let Some(Plan { id: object, gone, again, all }) = plan else { return Err(Problem::absent()) };
        if all {
            return self.recall(id, reason).await;
        }
        let body = VersionsRecalled { id: object, versions: gone, reason: words }.to_body();
        let mut drafts = vec![self.draft(VERSIONS_RECALLED, body)];
        drafts.extend(again.into_iter().map(|object| self.draft(OBJECT_SHARED, object)));
        self.app.append(drafts).await?;
        Ok(())
    }

    fn draft(&self, kind: &str, body: Vec<u8>) -> Draft {
        Draft::new(&self.permit, self.group, kind, body)
    }

    /// The id and the reason, once it is clear that the object is in use and the asking member's.
    async fn owned(&self, id: &str, reason: &str) -> Result<(ObjectId, String), Problem> {
        let id: ObjectId = id.parse().map_err(|_| Problem::absent())?;
        let reason = reason.trim().to_owned();
        if reason.is_empty() || reason.len() > limits::NAME_BYTES_MAX * 10 {
            return Err(Problem::refused(
                "object.recall.reason",
                "say in 1 to 2000 bytes why it is taken back",
            ));
        }
        let (scope, group, wanted) = (self.scope.clone(), self.group, id.to_string());
        let known = self.app.read(move |reading| reading.latest_object(&scope, group, &wanted)).await?;
        let known = known.filter(|known| !known.withdrawn).ok_or_else(Problem::absent)?;
        if known.owner != Some(self.permit.member()) {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "stix.owner.other",
                "another member shared this object; only its owner takes it back",
            ));
        }
        Ok((id, reason))
    }
}

/// What taking back some versions comes to.
struct Plan {
    id: ObjectId,
    /// The versions that go, and those that come back at once.
    gone: Vec<Timestamp>,
    /// The bytes of those that are added anew.
    again: Vec<Vec<u8>>,
    /// Whether nothing would be left.
    all: bool,
}

/// `None` when no version fits.
fn plan(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    id: &ObjectId,
    which: Versions,
) -> Result<Option<Plan>, ReadError> {
    let query = |versions, spec_versions| ObjectQuery {
        ids: vec![id.to_string()],
        versions,
        spec_versions,
        ..ObjectQuery::new(group, limits::ENVELOPE_OBJECTS_MAX)
    };
    let of = |query| reading.manifest(scope, &query).map(|page| page.into_inner().rows);
    let going = of(query(which.versions, which.spec_versions))?;
    let held = of(query(VersionFilter::every(), Vec::new()))?;
    let goes = |held: &ObjectRecord| going.iter().any(|gone| gone.version == held.version);
    let (gone, left): (Vec<ObjectRecord>, Vec<ObjectRecord>) = held.into_iter().partition(goes);
    if gone.is_empty() {
        return Ok(None);
    }
    // A reader who pages by `match[version]=last` or `first` may have passed the version that takes the place of the one
    // that goes: it has to come once more, later than where anybody stands.
    let last = left.iter().max_by_key(|left| left.version).filter(|_| gone.iter().any(|gone| gone.latest));
    let first = left
        .iter()
        .min_by_key(|left| left.version)
        .filter(|heir| gone.iter().any(|gone| gone.first && heir.sequence < gone.sequence));
    let heirs: BTreeSet<Timestamp> = last.into_iter().chain(first).map(|heir| heir.version).collect();
    let mut again = Vec::with_capacity(heirs.len());
    let mut versions: Vec<Timestamp> = gone.iter().map(|gone| gone.version).collect();
    for heir in heirs {
        let only = VersionFilter { at: vec![heir], last: false, ..VersionFilter::default() };
        if let Some(bytes) = bytes_of(reading, scope, group, id.as_str(), only)? {
            versions.push(heir);
            again.push(bytes);
        }
    }
    Ok(Some(Plan { id: id.clone(), gone: versions, again, all: left.is_empty() }))
}

/// The bytes of one version of an object in use; `None` when it is not there, or redacted.
fn bytes_of(
    reading: &Reading<'_>,
    scope: &ReadScope,
    group: GroupId,
    id: &str,
    versions: VersionFilter,
) -> Result<Option<Vec<u8>>, ReadError> {
    let query = ObjectQuery { ids: vec![id.to_owned()], versions, ..ObjectQuery::new(group, 1) };
    Ok(reading.objects(scope, &query)?.into_inner().rows.pop().and_then(|row| row.bytes))
}
