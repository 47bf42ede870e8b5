//! Directories that are MISP feeds: what their manifest names, file by file, each held to the digest the manifest gives.

use std::fs;
use std::path::{Path, PathBuf};

use shieldwall_exchange::misp::feed::{MANIFEST, Manifest, ManifestEntry, file_name};

use crate::fault::Fault;

/// A file to share, and what a feed's manifest says of it.
#[derive(Debug)]
pub(crate) struct Listed {
    /// The file.
    pub(crate) path: PathBuf,
    entry: Option<ManifestEntry>,
}

impl Listed {
    /// Makes sure the bytes are those the manifest speaks of.
    ///
    /// # Errors
    /// A file that is not what the manifest says.
    pub(crate) fn check(&self, bytes: &[u8]) -> Result<(), Fault> {
        let Some(entry) = &self.entry else { return Ok(()) };
        entry.check(bytes).map_err(|error| {
            Fault::usage(error.code(), format!("{}: {error}", self.path.display())).because(error)
        })
    }
}

/// The files named, and in place of a directory those its manifest names.
///
/// # Errors
/// A directory without a manifest, or with one that cannot be read or names a file that is not there.
pub(crate) fn listed(paths: &[PathBuf]) -> Result<Vec<Listed>, Fault> {
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() {
            feed(path, &mut all)?;
        } else {
            all.push(Listed { path: path.clone(), entry: None });
        }
    }
    Ok(all)
}

fn feed(directory: &Path, all: &mut Vec<Listed>) -> Result<(), Fault> {
    let manifest = directory.join(MANIFEST);
    let bytes = fs::read(&manifest).map_err(|error| {
        let reason = format!(
            "{} is a directory without a {MANIFEST} that can be read: name files, or the directory of a MISP feed",
            directory.display()
        );
        Fault::usage("cli.feed.directory", reason).because(error)
    })?;
    let read = Manifest::read(&bytes).map_err(|error| {
        Fault::usage(error.code(), format!("{}: {error}", manifest.display())).because(error)
    })?;
    for (uuid, entry) in read.events {
        let path = directory.join(file_name(uuid));
        if !path.is_file() {
            let reason = format!("{} names {uuid}, and {} is not there", manifest.display(), path.display());
            return Err(Fault::usage("cli.feed.incomplete", reason));
        }
        all.push(Listed { path, entry: Some(entry) });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_read_by_its_manifest_and_every_file_is_held_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let uuid = "6d0b8f2e-41a7-5d0c-9d63-0a4f7e1c9b01";
        let event = br#"{"Event":{"info":"x"}}"#;
        let sum = shieldwall_exchange::misp::feed::sha256(event);
        let manifest = format!(r#"{{"{uuid}":{{"info":"x","timestamp":"1","integrity:sha256":"{sum}"}}}}"#);
        fs::write(directory.path().join(MANIFEST), manifest).unwrap();
        let paths = [directory.path().to_owned()];
        assert_eq!(listed(&paths).unwrap_err().code(), "cli.feed.incomplete");
        fs::write(directory.path().join(format!("{uuid}.json")), event).unwrap();
        let found = listed(&paths).unwrap();
        assert_eq!(found.len(), 1);
        found[0].check(event).unwrap();
        assert_eq!(found[0].check(b"{}").unwrap_err().code(), "misp.feed.integrity");
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(listed(&[empty.path().to_owned()]).unwrap_err().code(), "cli.feed.directory");
    }
}
