//! Who holds what: objects by the keys they are kept under, in the visible groups alone.
//!
//! Every answer is bounded, and what is counted is counted in the reader's own groups, so that neither a count nor the
//! time it takes tells of others.

use std::net::IpAddr;

use rusqlite::params;
use shieldwall_model::access::{ReadScope, Visible};
use shieldwall_model::limits::{PAGE_ITEMS_MAX, SHARED_COUNT_MAX};

use super::{ReadError, Reading, groups_json, limited};
use crate::views::{Key, OBJECT_COLUMNS, ObjectRecord, family, object_from};

/// A length of networks in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// Whether of IPv6.
    pub v6: bool,
    /// The length in bits.
    pub length: u8,
}

impl Prefix {
    /// Whether networks around this address may have it.
    pub const fn suits(self, ip: IpAddr) -> bool {
        self.v6 == (family(ip) == 6)
    }
}

impl Reading<'_> {
    /// The numbers of the visible groups: for the words of keys.
    pub(super) fn group_numbers(&self, scope: &ReadScope) -> Result<Vec<i64>, ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT grp FROM groups WHERE uuid IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY uuid",
        )?;
        let rows = statement.query_map(params![groups_json(scope)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many visible objects hold each key, counted up to [`SHARED_COUNT_MAX`] and one more.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn sharing_counts(&self, scope: &ReadScope, keys: &[Key]) -> Result<Visible<Vec<usize>>, ReadError> {
        let groups = self.group_numbers(scope)?;
        let connection = self.loan.connection()?;
        let mut statement = connection
            .prepare_cached("SELECT count(*) FROM (SELECT 1 FROM keys WHERE keys MATCH ?1 LIMIT ?2)")?;
        let most = SHARED_COUNT_MAX.saturating_add(1);
        let mut counts = Vec::with_capacity(keys.len());
        for key in keys {
            let mut count = 0usize;
            for group in &groups {
                let left = most.saturating_sub(count);
                if left == 0 {
                    break;
                }
                count +=
                    statement.query_row(params![key.word(*group), left], |row| row.get::<_, usize>(0))?;
            }
            counts.push(count);
        }
        Ok(Visible::under(scope, counts))
    }

    /// Visible objects that hold a key, the newest of each group first, group by group; at most `limit` (held to
    /// [`PAGE_ITEMS_MAX`]).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn sharing(
        &self,
        scope: &ReadScope,
        key: &Key,
        limit: usize,
    ) -> Result<Visible<Vec<ObjectRecord>>, ReadError> {
        let (limit, _) = limited(limit, PAGE_ITEMS_MAX);
        let groups = self.group_numbers(scope)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {OBJECT_COLUMNS} FROM (SELECT rowid AS row FROM keys WHERE keys MATCH ?1 ORDER BY rowid DESC LIMIT ?2) k
             CROSS JOIN objects o ON o.row = k.row JOIN groups g ON g.grp = o.grp ORDER BY o.row DESC"
        ))?;
        let mut found = Vec::new();
        for group in groups {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            for record in statement.query_map(params![key.word(group), left], object_from)? {
                found.push(record?);
            }
        }
        Ok(Visible::under(scope, found))
    }

    /// The lengths of networks that the visible groups have ever held.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn prefixes(&self, scope: &ReadScope) -> Result<Visible<Vec<Prefix>>, ReadError> {
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT DISTINCT p.family, p.length FROM groups g JOIN prefixes p ON p.grp = g.grp
             WHERE g.uuid IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY 1, 2",
        )?;
        let rows = statement.query_map(params![groups_json(scope)], |row| {
            Ok(Prefix { v6: row.get::<_, u8>(0)? == 6, length: row.get(1)? })
        })?;
        Ok(Visible::under(scope, rows.collect::<Result<_, _>>()?))
    }

    /// How many addresses and networks visible objects hold inside a network, counted up to `most` and one more.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn inside_count(
        &self,
        scope: &ReadScope,
        net: IpAddr,
        length: u8,
        most: usize,
    ) -> Result<Visible<usize>, ReadError> {
        let groups = self.group_numbers(scope)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(
            "SELECT count(*) FROM (SELECT 1 FROM key_words WHERE term >= ?1 AND term <= ?2 LIMIT ?3)",
        )?;
        let mut count = 0usize;
        for group in groups {
            for (from, to) in Key::words_inside(net, length, group) {
                let left = most.saturating_add(1).saturating_sub(count);
                count += statement.query_row(params![from, to, left], |row| row.get::<_, usize>(0))?;
            }
        }
        Ok(Visible::under(scope, count))
    }

    /// Visible objects that hold an address or a network inside a network, group by group in the order of addresses; at
    /// most `limit` (held to [`PAGE_ITEMS_MAX`]).
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn inside(
        &self,
        scope: &ReadScope,
        net: IpAddr,
        length: u8,
        limit: usize,
    ) -> Result<Visible<Vec<ObjectRecord>>, ReadError> {
        let (limit, _) = limited(limit, PAGE_ITEMS_MAX);
        let groups = self.group_numbers(scope)?;
        let connection = self.loan.connection()?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {OBJECT_COLUMNS} FROM (SELECT doc AS row FROM key_words WHERE term >= ?1 AND term <= ?2 LIMIT ?3) k
             CROSS JOIN objects o ON o.row = k.row JOIN groups g ON g.grp = o.grp"
        ))?;
        let mut found = Vec::new();
        for group in groups {
            for (from, to) in Key::words_inside(net, length, group) {
                let left = limit.saturating_sub(found.len());
                for record in statement.query_map(params![from, to, left], object_from)? {
                    found.push(record?);
                }
            }
        }
        Ok(Visible::under(scope, found))
    }
}
