//! The section of an object's page that says what shares something with it, and why.

use crate::api::correlation::{CommonBody, RelatedBody, WhyBody, related};
use crate::ask::Ask;
use crate::pages::intelligence::is_value;
use crate::pages::markup::Html;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// What shares something with an object, as the page shows it.
pub struct Shared {
    /// Related objects.
    pub rows: Vec<Row>,
    /// What many share.
    pub common: Vec<Common>,
}

/// A related object.
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether that is a value.
    pub is_value: bool,
    /// Its type.
    pub object_type: String,
    /// Its marking.
    pub tlp: Html,
    /// How much the ties tell, in words.
    pub weight: String,
    /// The ties.
    pub why: Vec<Tie>,
}

/// A tie.
pub struct Tie {
    /// What it is.
    pub label: String,
    /// What is shared.
    pub shared: String,
    /// By how many.
    pub sharing: String,
}

/// Something many share.
pub struct Common {
    /// What it is.
    pub label: String,
    /// What is shared.
    pub shared: String,
    /// By how many.
    pub sharing: String,
    /// Where they are found.
    pub href: String,
}

/// What shares something with the object named in the path.
///
/// # Errors
/// 404 when absent or hidden.
pub async fn shared(ask: &Ask, t: Texts) -> Result<Shared, Problem> {
    let found = related(ask).await?;
    Ok(Shared {
        rows: found.related.iter().map(|one| row(t, one)).collect(),
        common: found.common.iter().map(|one| common(t, one)).collect(),
    })
}

fn label(t: Texts, tie: &str) -> String {
    t.text(&format!("tie-{tie}"))
}

fn row(t: Texts, one: &RelatedBody) -> Row {
    let strength = if one.weight >= 0.7 {
        "tie-strong"
    } else if one.weight >= 0.35 {
        "tie-fair"
    } else {
        "tie-weak"
    };
    Row {
        id: one.about.id.clone(),
        is_value: is_value(&one.about.name),
        name: one.about.name.clone(),
        object_type: t.object_type(&one.about.object_type),
        tlp: t.tlp(one.about.marking.as_deref()),
        weight: t.text(strength),
        why: one.why.iter().map(|why| tie(t, why)).collect(),
    }
}

fn tie(t: Texts, why: &WhyBody) -> Tie {
    Tie { label: label(t, why.tie), shared: why.shared.clone(), sharing: t.count("shared-by", why.sharing) }
}

fn common(t: Texts, one: &CommonBody) -> Common {
    let mut href = url::form_urlencoded::Serializer::new(String::from("/intelligence?"));
    href.append_pair("q", &one.search);
    Common {
        label: label(t, one.tie),
        shared: one.shared.clone(),
        sharing: t.count(if one.more { "shared-by-more" } else { "shared-by" }, one.sharing),
        href: href.finish(),
    }
}
