//! The data directory as offline commands see it, beside a hub that may be running: accounts, and who is a member.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use shieldwall_hub::fold::collection;
use shieldwall_ledger::accounts::{Accounts, AccountsError, Offline, Token};
use shieldwall_ledger::dump::documents;
use shieldwall_model::directory::{Directory, Member, MemberKind};
use shieldwall_model::id::MemberId;
use shieldwall_model::limits;
use shieldwall_model::realm::Realm;

use crate::console::Console;
use crate::countries;
use crate::fault::Fault;

/// Which data.
#[derive(Clone, Debug, Args)]
pub(crate) struct DataOptions {
    /// The hub's data directory
    #[arg(long, value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// The realm: real, or the name of an exercise
    #[arg(long, value_name = "REALM", default_value = "real")]
    pub(crate) realm: Realm,
}

/// What kind of participant a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindOption {
    /// A sovereign state
    Nation,
    /// A body of states, or the alliance's own staff
    Organisation,
    /// A company or a sector centre
    Company,
    /// A participant by agreement
    Partner,
}

impl From<KindOption> for MemberKind {
    fn from(option: KindOption) -> Self {
        match option {
            KindOption::Nation => Self::Nation,
            KindOption::Organisation => Self::Organisation,
            KindOption::Company => Self::Company,
            KindOption::Partner => Self::Partner,
        }
    }
}

/// A word for the kind of a member.
pub(crate) const fn kind_word(kind: MemberKind) -> &'static str {
    match kind {
        MemberKind::Nation => "nation",
        MemberKind::Organisation => "organisation",
        MemberKind::Company => "company",
        MemberKind::Partner => "partner",
    }
}

/// Turns what went wrong with the accounts into a fault.
pub(crate) fn account_fault(error: &AccountsError) -> Fault {
    match error {
        AccountsError::NameTaken | AccountsError::Absent => Fault::wrong(error.code(), error),
        _ => Fault::failed(error.code(), error),
    }
}

impl DataOptions {
    /// The accounts; made if there are none.
    ///
    /// # Errors
    /// A directory that cannot be used.
    pub(crate) fn accounts(&self) -> Result<Accounts, Fault> {
        std::fs::create_dir_all(&self.data).map_err(|error| {
            let message =
                format!("{} cannot be made; check the path and who may write there", self.data.display());
            Fault::environment("cli.data", message).because(error)
        })?;
        Accounts::open(&self.data).map_err(|error| account_fault(&error))
    }

    /// The accounts of a hub that was there before.
    ///
    /// # Errors
    /// `cli.data.missing` when the directory holds no hub's data.
    pub(crate) fn accounts_there(&self) -> Result<Accounts, Fault> {
        self.there()?;
        self.accounts()
    }

    /// Makes sure that the directory holds a hub's data.
    ///
    /// # Errors
    /// `cli.data.missing`.
    pub(crate) fn there(&self) -> Result<(), Fault> {
        if self.data.is_dir() {
            return Ok(());
        }
        let message = format!(
            "{} does not exist: name the directory given to `shieldwall hub --data`",
            self.data.display()
        );
        Err(Fault::environment("cli.data.missing", message))
    }

    /// The members, as the hub has folded them; none before its first start.
    ///
    /// # Errors
    /// Views that cannot be read.
    pub(crate) fn directory(&self) -> Result<Directory, Fault> {
        let mut directory = Directory::default();
        if !self.data.join(self.realm.as_str()).join("views.db").exists() {
            return Ok(directory);
        }
        let members = documents(&Offline, &self.data, &self.realm, collection::MEMBER)
            .map_err(|error| Fault::failed(error.code(), &error))?;
        for member in members.iter().filter_map(|document| serde_json::from_slice(&document.body).ok()) {
            directory.join(member);
        }
        Ok(directory)
    }
}

/// Every token, newest first.
///
/// # Errors
/// Accounts that cannot be read.
pub(crate) fn all_tokens(accounts: &Accounts) -> Result<Vec<Token>, Fault> {
    let mut all: Vec<Token> = Vec::new();
    loop {
        let page = accounts
            .tokens(&Offline, all.last().map(|token| token.id))
            .map_err(|error| account_fault(&error))?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The member that joins when this token is first used, if one does.
pub(crate) fn joining(token: &Token) -> Option<Member> {
    serde_json::from_str(token.joining.as_deref()?).ok()
}

/// The member meant by `text`: one that is there, one that is about to join, or a new one.
///
/// # Errors
/// `cli.member` when the text can name no member.
pub(crate) fn member(
    text: &str,
    kind: Option<KindOption>,
    directory: &Directory,
    tokens: &[Token],
    console: &Console,
) -> Result<Member, Fault> {
    if let Some(member) = directory.find_member(text) {
        return Ok(member.clone());
    }
    let mut about_to_join = Directory::default();
    tokens.iter().filter_map(joining).for_each(|member| about_to_join.join(member));
    if let Some(member) = about_to_join.find_member(text) {
        return Ok(member.clone());
    }
    let name = text.trim();
    let is_id = name.starts_with("identity--");
    if name.is_empty() || is_id || name.len() > limits::NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let message = format!(
            "{name:?} is no member and cannot name a new one: give a country's code, or a name of 1 to {} bytes",
            limits::NAME_BYTES_MAX
        );
        return Err(Fault::usage("cli.member", message));
    }
    let (code, name) = match countries::find(name) {
        Some((code, name)) => (Some(code), name),
        None if name.chars().count() == 2 => {
            let message =
                format!("{name:?} is no country's code (ISO 3166-1 alpha-2), and no member of the alliance");
            return Err(Fault::usage("cli.member", message));
        }
        None => (None, name),
    };
    Ok(Member {
        id: MemberId::new(console.clock.now(), &*console.entropy),
        name: name.to_owned(),
        kind: kind.map_or(MemberKind::Nation, MemberKind::from),
        country: code.map(str::to_owned),
        sectors: Vec::new(),
    })
}

/// The same path made absolute, for messages.
pub(crate) fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str, kind: Option<KindOption>) -> Result<Member, Fault> {
        member(text, kind, &Directory::default(), &[], &Console::new(true, false))
    }

    #[test]
    fn a_new_member_is_named_after_its_country_where_it_has_one() {
        let member = new("lu", None).unwrap();
        assert_eq!(
            (member.name.as_str(), member.country.as_deref(), member.kind),
            ("Luxembourg", Some("LU"), MemberKind::Nation)
        );
        assert_eq!(new("spain", None).unwrap().country.as_deref(), Some("ES"));
        let company = new("The Grid", Some(KindOption::Company)).unwrap();
        assert_eq!((company.country, company.kind), (None, MemberKind::Company));
        for bad in ["", "qq", "identity--8e2e2d2b-17d4-4cbf-938f-98ee46b3cd3f", "a\nb", &"x".repeat(201)] {
            assert_eq!(new(bad, None).unwrap_err().code(), "cli.member", "{bad:?}");
        }
    }
}
