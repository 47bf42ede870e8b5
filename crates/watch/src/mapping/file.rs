//! Reading a mapping file and compiling it.

use std::collections::BTreeMap;

use hashbrown::HashMap;
use serde::Deserialize;
use toml::Spanned;

use crate::decode::{Decoder, Memory};

use super::told::{self, Told};
use super::{Action, FIELDS_MAX, Field, Format, Keys, Mapping, MappingError, Node, Reading, UrlRule};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Spanned<String>,
    #[serde(default)]
    about: String,
    format: Spanned<String>,
    like: Option<Spanned<String>>,
    #[serde(default)]
    time: Vec<Spanned<String>>,
    #[serde(default)]
    under: Vec<Spanned<String>>,
    #[serde(default)]
    detect: Detect,
    #[serde(default)]
    fields: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    stix: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
    #[serde(default)]
    endpoint: Vec<Endpoint>,
    #[serde(default)]
    url: Vec<Url>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Detect {
    #[serde(default)]
    all: Vec<Spanned<String>>,
    #[serde(default)]
    any: Vec<Spanned<String>>,
    #[serde(default)]
    last: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Endpoint {
    ip: Spanned<String>,
    port: Spanned<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Url {
    host: Spanned<String>,
    path: Spanned<String>,
    port: Option<Spanned<String>>,
    /// What a told URL begins with; the event does not say.
    scheme: Option<Spanned<String>>,
}

impl File {
    /// Takes what is left out here from a built-in mapping.
    fn take_from(&mut self, like: &Spanned<String>, source: &Source<'_>) -> Result<(), MappingError> {
        let name = like.get_ref().as_str();
        let known = super::BUILT_IN.iter().filter_map(|(_, text)| toml::from_str::<Self>(text).ok());
        let Some(other) =
            known.into_iter().find(|other| other.name.get_ref() == name && other.like.is_none())
        else {
            let why = format!("there is no built-in mapping \"{name}\" to be like");
            return Err(source.toml(like.span().start, why));
        };
        let or = |mine: &mut Vec<Spanned<String>>, others| {
            if mine.is_empty() {
                *mine = others;
            }
        };
        or(&mut self.time, other.time);
        or(&mut self.under, other.under);
        if self.detect.all.is_empty() && self.detect.any.is_empty() {
            (self.detect.all, self.detect.any) = (other.detect.all, other.detect.any);
        }
        if self.fields.is_empty() {
            self.fields = other.fields;
        }
        if self.stix.is_empty() {
            self.stix = other.stix;
        }
        if self.endpoint.is_empty() {
            self.endpoint = other.endpoint;
        }
        if self.url.is_empty() {
            self.url = other.url;
        }
        Ok(())
    }
}

/// Where errors point: the file and its text.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    fn toml(&self, at: usize, why: impl Into<String>) -> MappingError {
        MappingError::Toml { file: self.file.into(), line: self.line(at), why: why.into() }
    }

    /// A path without its `[]`, checked.
    fn path(&self, written: &Spanned<String>) -> Result<String, MappingError> {
        let key = written.get_ref();
        let bad = |why| MappingError::BadPath {
            file: self.file.into(),
            line: self.line(written.span().start),
            key: key.clone(),
            why,
        };
        let path = key.replace("[]", "");
        if path.is_empty() || path.len() > 256 {
            return Err(bad("it has 1 to 256 characters"));
        }
        // Letters a JSON writer may escape (`/`, quotes, control characters) would make a key's spelling ambiguous.
        let fits =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'@' | b'#' | b' ');
        for step in path.split('.') {
            if step.is_empty() {
                return Err(bad("it has an empty step"));
            }
            if !step.bytes().all(fits) {
                return Err(bad("a step has letters, digits, blanks and _ - @ # only"));
            }
        }
        Ok(path)
    }
}

#[derive(Default)]
struct Compiler {
    nodes: Vec<Node>,
    fields: Vec<Field>,
    told: Vec<Told>,
    urls: Vec<UrlRule>,
    endpoints: u16,
}

impl Compiler {
    /// The node at the end of a path.
    fn node(&mut self, path: &str) -> Option<&mut Node> {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0usize;
        for step in path.split('.') {
            let fresh = self.nodes.len() as u32;
            let here = self.nodes.get_mut(at)?;
            let next = *here.children.entry(step.into()).or_insert(fresh);
            if next == fresh {
                self.nodes.push(Node::default());
            }
            at = next as usize;
        }
        self.nodes.get_mut(at)
    }

    /// Adds an action at the end of a path.
    fn act(&mut self, path: &str, action: Action) {
        if let Some(node) = self.node(path)
            && !node.actions.contains(&action)
        {
            node.actions.push(action);
        }
    }

    /// Says what a path is in STIX.
    fn tell(&mut self, path: String, reading: Option<Reading>, stix: Vec<Box<str>>) {
        let number = self.told.len() as u16;
        if let Some(node) = self.node(&path)
            && node.told.is_none()
        {
            node.told = Some(number);
            self.told.push(Told { path, reading, stix });
        }
    }

    fn field(&mut self, path: &str, reading: Reading) -> u16 {
        self.fields.push(Field { path: path.into(), reading });
        (self.fields.len() - 1) as u16
    }

    /// Everything the file names, below one root.
    fn under(
        &mut self,
        root: &str,
        source: &Source<'_>,
        read: &File,
        fields: &[(String, Reading)],
        stix: &[(String, Vec<Box<str>>)],
    ) -> Result<(), MappingError> {
        let mut owners: HashMap<String, u16> = HashMap::new();
        for endpoint in &read.endpoint {
            let (ip, port) = (source.path(&endpoint.ip)?, source.path(&endpoint.port)?);
            let at = endpoint.ip.span().start;
            let address = |(path, reading): &(String, Reading)| {
                *path == ip && matches!(reading, Reading::Ip | Reading::Host)
            };
            if !fields.iter().any(address) {
                let why = format!("\"{ip}\" is an endpoint's address but no field read as ip or host");
                return Err(source.toml(at, why));
            }
            self.act(&format!("{root}{port}"), Action::Port(self.endpoints));
            if owners.insert(ip, self.endpoints).is_some() {
                return Err(source.toml(at, "this address has an endpoint already"));
            }
            self.endpoints += 1;
        }
        for (path, reading) in fields {
            let full = format!("{root}{path}");
            let field = self.field(&full, *reading);
            self.act(&full, Action::Field { field, endpoint: owners.get(path).copied() });
        }
        self.tell_all(root, fields, stix);
        for url in &read.url {
            let rule = self.urls.len() as u16;
            let path = format!("{root}{}", source.path(&url.path)?);
            self.act(&format!("{root}{}", source.path(&url.host)?), Action::UrlHost(rule));
            self.act(&path, Action::UrlPath(rule));
            if let Some(port) = &url.port {
                self.act(&format!("{root}{}", source.path(port)?), Action::UrlPort(rule));
            }
            let field = self.field(&path, Reading::Url);
            let scheme = url.scheme.as_ref().map_or("http", |scheme| scheme.get_ref()).into();
            self.urls.push(UrlRule { field, scheme });
        }
        Ok(())
    }

    /// What the file says of its paths, and of watched fields it says nothing of, what follows from their reading.
    fn tell_all(&mut self, root: &str, fields: &[(String, Reading)], stix: &[(String, Vec<Box<str>>)]) {
        let reading_of =
            |path: &str| fields.iter().find(|(known, _)| known == path).map(|(_, reading)| *reading);
        for (path, stix) in stix {
            self.tell(format!("{root}{path}"), reading_of(path), stix.clone());
        }
        for (path, reading) in fields {
            self.tell(format!("{root}{path}"), Some(*reading), told::by_reading(*reading));
        }
    }
}

pub(super) fn parse(file: &str, text: &str) -> Result<Mapping, MappingError> {
    let source = Source { file, text };
    let mut read: File = toml::from_str(text)
        .map_err(|error| source.toml(error.span().map_or(0, |span| span.start), error.message()))?;
    if let Some(like) = read.like.take() {
        read.take_from(&like, &source)?;
    }
    let name = read.name.get_ref();
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
        return Err(source.toml(read.name.span().start, "a mapping's name has letters, digits, - and _ only"));
    }
    let roots = roots(&source, &read)?;
    let wanted = roots.len()
        * (read.fields.len() + read.stix.len() + 2 * read.endpoint.len() + 4 * read.url.len())
        + read.time.len();
    if wanted > FIELDS_MAX {
        return Err(source.toml(0, format!("a mapping has at most {FIELDS_MAX} paths, this one {wanted}")));
    }
    let paths =
        |all: &[Spanned<String>]| all.iter().map(|one| source.path(one)).collect::<Result<Vec<_>, _>>();
    let detect_all = paths(&read.detect.all)?;
    let detect_any = paths(&read.detect.any)?;
    let mut compiler = Compiler::default();
    for (rank, path) in paths(&read.time)?.iter().enumerate() {
        compiler.act(path, Action::Time(rank as u16));
    }
    let fields = fields(&source, &read)?;
    let stix = stix(&source, &read)?;
    for root in &roots {
        compiler.under(root, &source, &read, &fields, &stix)?;
    }
    let format = format(&source, &read.format, !fields.is_empty())?;
    if format != Format::Json {
        compiler.field("line", Reading::Text);
    }
    let keys = Keys::new(&compiler.nodes, &compiler.fields);
    Ok(Mapping {
        name: read.name.into_inner(),
        about: read.about,
        format,
        fields: compiler.fields,
        told: compiler.told,
        detect_all,
        detect_any,
        detect_last: read.detect.last,
        memory: Memory::default(),
        nodes: compiler.nodes,
        urls: compiler.urls,
        keys,
    })
}

/// What a line is; a mapping of text has no fields, every other has some.
fn format(source: &Source<'_>, word: &Spanned<String>, has_fields: bool) -> Result<Format, MappingError> {
    let format = match word.get_ref().as_str() {
        "json" => Format::Json,
        "text" => Format::Text,
        other => {
            let known = Decoder::WORDS.into_iter().find(|(known, _)| *known == other);
            let (_, decoder) = known.ok_or_else(|| {
                let words = Decoder::WORDS.map(|(word, _)| word).join(", ");
                source.toml(
                    word.span().start,
                    format!("the format \"{other}\" is unknown: use json, text, {words}"),
                )
            })?;
            Format::Decoded(decoder)
        }
    };
    match (format, has_fields) {
        (Format::Text, true) => {
            Err(source.toml(0, "a text mapping has no fields: every value in the line is found"))
        }
        (Format::Text, false) | (_, true) => Ok(format),
        (Format::Json, false) => Err(source.toml(0, "a JSON mapping needs at least one field")),
        (Format::Decoded(_), false) => {
            Err(source.toml(0, "a mapping of lines taken apart needs at least one field"))
        }
    }
}

/// What every field is looked for below: nothing, or each path of `under` with a dot behind it.
fn roots(source: &Source<'_>, read: &File) -> Result<Vec<String>, MappingError> {
    if read.under.is_empty() {
        return Ok(vec![String::new()]);
    }
    let root = |written: &Spanned<String>| match written.get_ref().is_empty() {
        true => Ok(String::new()),
        false => source.path(written).map(|path| path + "."),
    };
    read.under.iter().map(root).collect()
}

fn fields(source: &Source<'_>, read: &File) -> Result<Vec<(String, Reading)>, MappingError> {
    let one = |(key, word): (&Spanned<String>, &Spanned<String>)| {
        let Some((_, reading)) = Reading::WORDS.iter().find(|(known, _)| known == word.get_ref()) else {
            return Err(MappingError::BadReading {
                file: source.file.into(),
                line: source.line(word.span().start),
                key: key.get_ref().clone(),
                reading: word.get_ref().clone(),
            });
        };
        Ok((source.path(key)?, *reading))
    };
    read.fields.iter().map(one).collect()
}

/// A field and its places in STIX.
type Placed = (String, Vec<Box<str>>);

/// What the file says its paths are in STIX.
fn stix(source: &Source<'_>, read: &File) -> Result<Vec<Placed>, MappingError> {
    let mut all = Vec::with_capacity(read.stix.len());
    for (key, value) in &read.stix {
        let (path, line) = (source.path(key)?, source.line(value.span().start));
        let bad = |stix: String, why: String| {
            let (file, key) = (source.file.into(), key.get_ref().clone());
            MappingError::BadStix { file, line, key, stix, why }
        };
        let written = match value.get_ref() {
            toml::Value::Array(all) => all.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut paths: Vec<Box<str>> = Vec::with_capacity(written.len());
        for one in written {
            let text = one
                .as_str()
                .ok_or_else(|| bad(one.to_string(), "write a text, such as \"domain-name:value\"".into()))?;
            told::check(text).map_err(|why| bad(text.into(), why))?;
            paths.push(text.into());
        }
        all.push((path, paths));
    }
    Ok(all)
}
