//! What a command could not do: a stable code, a message that says what to do, its causes, and how the program ends.

use std::error::Error;
use std::io;

use serde_json::json;

/// How a command that was carried out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done: exit status 0.
    Done,
    /// Done, and the answer is no: exit status 1.
    No,
    /// Done but for some of it, which was named: exit status 2.
    Partly,
}

impl Outcome {
    /// `Done` if `yes`.
    pub(crate) const fn of(yes: bool) -> Self {
        if yes { Self::Done } else { Self::No }
    }

    /// The exit status.
    pub(crate) const fn status(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Partly => 2,
        }
    }
}

/// Who has to change something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// Whoever typed the command or wrote its input: exit status 2.
    Usage,
    /// The machine, the disk, the network, the hub: exit status 3.
    Environment,
    /// Whoever read our output has closed it: nobody is left to tell.
    Closed,
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Fault {
    cause: Cause,
    code: &'static str,
    message: String,
    #[source]
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    /// The command or its input is wrong.
    pub(crate) fn usage(code: &'static str, message: impl Into<String>) -> Self {
        Self { cause: Cause::Usage, code, message: message.into(), source: None }
    }

    /// Something the command needs is not there or does not work.
    pub(crate) fn environment(code: &'static str, message: impl Into<String>) -> Self {
        Self { cause: Cause::Environment, code, message: message.into(), source: None }
    }

    /// This fault, because of `source`.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// The command or its input is wrong, as a crate below found out: its words, its code.
    pub(crate) fn wrong(code: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self { cause: Cause::Usage, code, message: error.to_string(), source: causes_of(error) }
    }

    /// Something failed in a crate below: its words, its code.
    pub(crate) fn failed(code: &'static str, error: &(dyn Error + 'static)) -> Self {
        Self { cause: Cause::Environment, code, message: error.to_string(), source: causes_of(error) }
    }

    /// Writing to standard output failed.
    pub(crate) fn output(error: io::Error) -> Self {
        let cause =
            if error.kind() == io::ErrorKind::BrokenPipe { Cause::Closed } else { Cause::Environment };
        let message = "standard output cannot be written; is the disk full?".into();
        Self { cause, code: "cli.output", message, source: Some(Box::new(error)) }
    }

    /// The exit status.
    pub(crate) const fn status(&self) -> u8 {
        match self.cause {
            Cause::Usage => 2,
            Cause::Environment => 3,
            Cause::Closed => 0,
        }
    }

    /// The stable code.
    pub(crate) const fn code(&self) -> &'static str {
        self.code
    }

    /// What goes to standard error, without a line feed at the end; nothing when nobody is left to read our output.
    pub(crate) fn report(&self, json: bool) -> Option<String> {
        if self.cause == Cause::Closed {
            return None;
        }
        let causes = chain(self);
        if json {
            let error = json!({"error": {"code": self.code, "message": self.message, "causes": causes}});
            return Some(error.to_string());
        }
        let mut text = format!("error[{}]: {}", self.code, self.message);
        for cause in causes {
            text.push_str("\n  because: ");
            text.push_str(&cause);
        }
        Some(text)
    }
}

/// The causes of an error, outermost first. A cause whose words its effect already repeats is left out.
fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut said = error.to_string();
    let mut causes = Vec::new();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !said.contains(&words) {
            causes.push(words.clone());
        }
        said = words;
        next = cause.source();
    }
    causes
}

/// What is left of an error that cannot be kept: its causes, as words.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
struct Words {
    words: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

fn causes_of(error: &(dyn Error + 'static)) -> Option<Box<dyn Error + Send + Sync>> {
    chain(error).into_iter().rev().fold(None, |source, words| Some(Box::new(Words { words, source }) as _))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn io_error() -> io::Error {
        io::Error::other("the disk is on fire")
    }

    #[test]
    fn each_cause_is_said_once() {
        let fault = Fault::environment("a.b", "cannot read x; look at it").because(io_error());
        assert_eq!(
            fault.report(false).unwrap(),
            "error[a.b]: cannot read x; look at it\n  because: the disk is on fire"
        );
        let repeated = Fault::environment("a.b", "cannot: the disk is on fire").because(io_error());
        assert_eq!(repeated.report(false).unwrap(), "error[a.b]: cannot: the disk is on fire");
    }

    #[test]
    fn machines_get_one_object() {
        let fault = Fault::failed("x.y", &Fault::usage("z", "outer").because(io_error()));
        let report: serde_json::Value = serde_json::from_str(&fault.report(true).unwrap()).unwrap();
        assert_eq!(
            report,
            json!({"error": {"code": "x.y", "message": "outer", "causes": ["the disk is on fire"]}})
        );
    }

    #[test]
    fn the_exit_status_tells_who_must_act_and_a_closed_pipe_is_no_error() {
        assert_eq!(Fault::usage("a", "b").status(), 2);
        assert_eq!(Fault::environment("a", "b").status(), 3);
        let closed = Fault::output(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!((closed.status(), closed.report(false)), (0, None));
        assert_eq!((Outcome::of(true).status(), Outcome::of(false).status()), (0, 1));
    }
}
