//! Logs, durability, proofs and views: the only crate that opens a database.
//!
//! A log belongs to one (realm, sharing group). [`Ledger::append`] resolves once its entries are on disk *and* the
//! views were folded from them (the full-text index follows, and a search waits for it); [`Ledger::read`] gives a [`Reading`] whose every method takes a
//! [`ReadScope`](shieldwall_model::access::ReadScope) and returns [`Visible`](shieldwall_model::access::Visible);
//! [`Ledger::follow`] tails logs without missing or repeating an entry. What an entry *means* is told by the [`Fold`]
//! handed in on opening, and by nobody in here.
//!
//! Files of a data directory:
//!
//! | path | what it holds | durability |
//! |---|---|---|
//! | `hub.key` | the seed of the hub's signing keys, mode 0600 | made once |
//! | `accounts.db` | users, sessions, tokens, one-time links | WAL, `synchronous=FULL` |
//! | `<realm>/ledger.db` | entries, Merkle trees, checkpoints | WAL, `synchronous=FULL` |
//! | `<realm>/views.db` | what is folded from the entries | WAL, `synchronous=NORMAL`; can be rebuilt |
//! | `<realm>/texts.db` | the words of the entries, to search by | as the views |
//! | `<realm>/settings.db` | what members and operators have set up | WAL, `synchronous=FULL` |
//! | `<realm>/signed` | the sizes and roots last signed, against rolling back | written whole, then renamed |
//! | `<realm>/lock` | advisory lock: one hub writes one directory | |
//!
//! How an entry becomes a leaf of its log's Merkle tree is defined in [`entry`], so that an independent verifier can
//! be written from the description.

pub mod accounts;
pub mod backup;
pub mod dump;
pub mod entry;
pub mod files;
pub mod fold;
pub mod follow;
pub mod identity;
pub mod postings;
pub mod reading;
pub mod settings;
pub mod tree;
pub mod verify;
pub mod views;

mod ledger;
mod pool;
mod signing;
mod store;
mod texts;
mod writer;

pub use entry::{Author, Draft, Entry, Positions, Receipt};
pub use fold::{Fold, FoldError};
pub use follow::{Follow, FollowError};
pub use ledger::{Ledger, LedgerError, Options, rebuild};
pub use reading::{ReadError, Reading};
pub use texts::Words;
pub use views::Views;
pub use writer::AppendError;

/// Called with (done, total) while something takes long. The unit is the caller's to know: entries or bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);
