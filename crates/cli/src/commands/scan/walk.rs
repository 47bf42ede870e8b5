//! Walks folders for files without ever leaving them: links are not followed, devices and pipes not opened.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Something in a folder.
#[derive(Debug)]
pub(super) enum Entry {
    /// A file.
    File(PathBuf),
    /// A link, not followed.
    Link,
    /// A device, a pipe or a socket, not opened.
    Other,
    /// Something that could not be looked at.
    Failed(PathBuf, io::Error),
}

/// Walks a folder, or hands out a file.
#[derive(Debug)]
pub(super) struct Walk {
    /// What is left, the next last.
    left: Vec<PathBuf>,
    /// Whether the next is what a person named: a link there is followed.
    named: bool,
}

impl Walk {
    pub(super) fn new(path: &Path) -> Self {
        Self { left: vec![path.to_owned()], named: true }
    }
}

impl Iterator for Walk {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let path = self.left.pop()?;
            let about = match std::mem::take(&mut self.named) {
                true => fs::metadata(&path),
                false => fs::symlink_metadata(&path),
            };
            let about = match about {
                Ok(about) => about,
                Err(error) => return Some(Entry::Failed(path, error)),
            };
            if about.is_symlink() {
                return Some(Entry::Link);
            }
            if about.is_file() {
                return Some(Entry::File(path));
            }
            if !about.is_dir() {
                return Some(Entry::Other);
            }
            match fs::read_dir(&path) {
                Ok(names) => {
                    let mut below: Vec<_> = names.flatten().map(|name| name.path()).collect();
                    below.sort_unstable_by(|a, b| b.cmp(a));
                    self.left.append(&mut below);
                }
                Err(error) => return Some(Entry::Failed(path, error)),
            }
        }
    }
}

/// Makes sure that an open file is a file: a name may lead elsewhere by the time it is opened.
///
/// # Errors
/// When it is none, or the name has become a link to another.
pub(super) fn same(path: &Path, file: &File) -> io::Result<()> {
    let opened = file.metadata()?;
    let named = fs::metadata(path)?;
    let same = {
        use std::os::unix::fs::MetadataExt as _;
        (opened.dev(), opened.ino()) == (named.dev(), named.ino())
    };
    match opened.is_file() && same {
        true => Ok(()),
        false => Err(io::Error::other("it changed while it was looked at")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_not_followed_and_loops_do_not_matter() {
        let folder = tempfile::tempdir().unwrap();
        let (inside, outside) = (folder.path().join("inside"), folder.path().join("outside"));
        fs::create_dir_all(inside.join("deep")).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(inside.join("deep/a"), "a").unwrap();
        fs::write(outside.join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(&outside, inside.join("way-out")).unwrap();
        std::os::unix::fs::symlink(&inside, inside.join("deep/loop")).unwrap();
        std::os::unix::fs::symlink(outside.join("secret"), inside.join("file")).unwrap();
        let (mut files, mut links) = (Vec::new(), 0);
        for entry in Walk::new(&inside) {
            match entry {
                Entry::File(path) => files.push(path),
                Entry::Link => links += 1,
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(files, [inside.join("deep/a")]);
        assert_eq!(links, 3);
        // What a person names is meant.
        assert!(matches!(Walk::new(&inside.join("file")).next(), Some(Entry::File(_))));
        assert!(matches!(Walk::new(&inside.join("absent")).next(), Some(Entry::Failed(..))));
    }
}
