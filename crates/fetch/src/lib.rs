//! The one way the hub asks others for something: peers, sources, webhooks. Whoever sets such an address up must not be
//! able to make the hub reach into its own network (server-side request forgery).
//!
//! - **https** on port 443 alone, and public addresses alone, unless the operator's [`Allowed`] list says otherwise.
//! - A name is resolved here, every address that comes back is checked, and the connection goes to the checked addresses
//!   and no other: a name that answers differently the second time (rebinding) is asked once.
//! - Redirects are followed by hand, three at most, each checked anew; credentials never leave the origin they are for.
//! - What comes back is capped in bytes after unpacking, and the whole in time. Proxies of the environment are not asked.

mod address;
mod allow;
mod fetcher;
mod resolve;

pub use self::address::{Reach, reach};
pub use self::allow::{AllowError, Allowed, Policy};
pub use self::fetcher::{Answer, Credentials, FetchError, Fetcher, Request};
pub use self::resolve::{Resolve, Resolving, SystemResolver};
pub use reqwest::StatusCode;
pub use reqwest::header;
pub use url::Url;
