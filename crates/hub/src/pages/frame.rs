//! What every page shows around its content: the top bar, who is signed in, the realm, the footer.

use shieldwall_model::access::Action;
use shieldwall_model::realm::Realm;

use crate::api::warnings;
use crate::app::App;
use crate::ask::Ask;
use crate::pages::assets::asset;
use crate::pages::cards;
use crate::pages::texts::Texts;
use crate::problem::Problem;

/// Warnings looked at to count the new ones.
const WARNINGS_MAX: usize = 500;

/// The parts of the hub a person can go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first page.
    Picture,
    /// Warnings.
    Warnings,
    /// Intelligence.
    Intelligence,
    /// Sensors.
    Sensors,
    /// Members and sharing groups; for the operator also people and tokens.
    Members,
    /// The ledger.
    Ledger,
}

impl Place {
    const ALL: [(Self, Action, &'static str, &'static str); 6] = [
        (Self::Picture, Action::ReadPicture, "/", "nav-picture"),
        (Self::Warnings, Action::ReadWarnings, "/warnings", "nav-warnings"),
        (Self::Intelligence, Action::ReadIntelligence, "/intelligence", "nav-intelligence"),
        (Self::Sensors, Action::ReadSensors, "/sensors", "nav-sensors"),
        (Self::Members, Action::ReadMembers, "/members", "nav-members"),
        (Self::Ledger, Action::ReadLedger, "/ledger", "nav-ledger"),
    ];
}

/// A link in the top bar.
pub struct Nav {
    /// Where it leads.
    pub href: &'static str,
    /// What it says.
    pub label: String,
    /// Whether this page belongs to it.
    pub current: bool,
    /// Whether the number of new warnings stands beside it.
    pub counts_warnings: bool,
}

/// What stands around a page for a signed-in reader.
pub struct Frame {
    /// The page's title.
    pub title: String,
    /// The links of the top bar, as far as the reader's role goes.
    pub nav: Vec<Nav>,
    /// Warnings no person of the reader's member has taken note of.
    pub warnings_new: usize,
    /// Whether the reader may follow the live stream.
    pub live: bool,
    /// The reader's name.
    pub name: String,
    /// The reader's role and member, in words.
    pub role: String,
    /// What forms must carry.
    pub csrf: String,
    /// The page outside of it.
    pub door: Door,
    /// Whether the reader runs the hub.
    pub administers: bool,
}

impl Frame {
    /// The frame of a page titled by the text of `title`.
    ///
    /// # Errors
    /// As `App::read`.
    pub async fn of(ask: &Ask, place: Place, title: &str) -> Result<Self, Problem> {
        let t = Texts::new(ask.language);
        Self::titled(ask, place, t.text(title)).await
    }

    /// The frame of a page with a title of its own.
    ///
    /// # Errors
    /// As `App::read`.
    pub async fn titled(ask: &Ask, place: Place, title: String) -> Result<Self, Problem> {
        let t = Texts::new(ask.language);
        let reader = ask.reader();
        let nav = Place::ALL
            .into_iter()
            .filter(|(_, action, _, _)| reader.may(*action))
            .map(|(known, _, href, label)| Nav {
                href,
                label: t.text(label),
                current: known == place,
                counts_warnings: known == Place::Warnings,
            })
            .collect();
        let member = ask
            .app
            .directory()
            .member(reader.member())
            .map_or_else(String::new, |member| member.name.clone());
        let role = t.text(&format!("person-role-{}", reader.role()));
        Ok(Self {
            title,
            nav,
            warnings_new: warnings_new(ask).await?,
            live: reader.may(Action::ReadWarnings),
            name: ask
                .session()
                .map_or_else(|| reader.principal().to_string(), |session| session.name.clone()),
            role: t.list_of_two(&role, &member),
            csrf: csrf(ask),
            door: Door::new(&ask.app, &ask.uri),
            administers: reader.may(Action::Administer),
        })
    }

    /// The same frame for a page that answers a form: the language switch leads back to `path`, which can be read.
    #[must_use]
    pub fn back_to(mut self, path: &str) -> Self {
        self.door.next = encoded(path);
        self
    }
}

/// What the forms of the reader's session must carry.
pub fn csrf(ask: &Ask) -> String {
    ask.session().map_or_else(String::new, |session| session.csrf.clone())
}

/// How many warnings no person of the reader's member has taken note of.
///
/// # Errors
/// As `App::read`.
pub async fn warnings_new(ask: &Ask) -> Result<usize, Problem> {
    let Ok(scope) = ask.reader().scope(Action::ReadWarnings) else { return Ok(0) };
    let mine = ask.reader().member();
    let newest = warnings::newest(&ask.app, scope, WARNINGS_MAX).await?;
    Ok(newest
        .iter()
        .filter(|warning| warning.withdrawn.is_none())
        .filter(|warning| cards::is_new(warning, mine))
        .count())
}

/// What stands around any page, signed in or not.
pub struct Door {
    /// The exercise, when the hub serves one.
    pub exercise: Option<String>,
    /// The program's version.
    pub version: &'static str,
    /// The name of the hub.
    pub hub: String,
    /// This page's address, encoded for a query string.
    pub next: String,
}

impl Door {
    /// The outside of a page at `uri`.
    pub fn new(app: &App, uri: &str) -> Self {
        let exercise = match app.realm() {
            Realm::Real => None,
            Realm::Exercise(slug) => Some(slug.clone()),
        };
        Self {
            exercise,
            version: env!("CARGO_PKG_VERSION"),
            hub: app.config().name.clone(),
            next: encoded(uri),
        }
    }

    /// The address of a file.
    pub fn asset(&self, name: &str) -> String {
        asset(name)
    }
}

fn encoded(uri: &str) -> String {
    url::form_urlencoded::byte_serialize(uri.as_bytes()).collect()
}

impl Texts {
    /// Two things side by side, such as a role and a member.
    fn list_of_two(self, first: &str, second: &str) -> String {
        if second.is_empty() { first.to_owned() } else { format!("{first}, {second}") }
    }
}
