//! The one error type of the crate: a closed code to branch on, text for people.
//!
//! The text is lowercase, without a final dot, names the thing that is wrong and never repeats its
//! source: whoever prints an error walks the chain ([`Error::chain`]).

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it is. The wire code, the exit code and the retry class derive from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request, pipeline, manifest or an option is wrong: it has to be changed.
    Invalid,
    /// A thing that was named does not exist.
    NotFound,
    /// The request is right but the state does not allow it.
    Conflict,
    /// The thing was changed since it was read.
    PreconditionFailed,
    /// Nobody knows who is asking.
    Unauthenticated,
    /// Whoever asks may not do this.
    Forbidden,
    /// More bytes than are taken at once.
    TooLarge,
    /// More requests than are taken at once: the same call may work later.
    TooMany,
    /// The request is right, but this engine has no such thing.
    Unsupported,
    /// Another process holds the data directory.
    InUse,
    /// An extractor can not be loaded or broke its contract.
    Extractor,
    /// A disk, an object store or a sink is out of reach or refused: the same call may work later.
    Unavailable,
    /// No space left.
    StorageFull,
    /// Stored bytes are not what was written.
    Corrupt,
    /// The state store could not write and accepts nothing any more.
    StateFailed,
    /// The run was interrupted and can be resumed.
    Interrupted,
    /// A bug: an invariant of this program does not hold.
    Internal,
}

impl Code {
    pub const ALL: [Code; 17] = [
        Code::Invalid,
        Code::NotFound,
        Code::Conflict,
        Code::PreconditionFailed,
        Code::Unauthenticated,
        Code::Forbidden,
        Code::TooLarge,
        Code::TooMany,
        Code::Unsupported,
        Code::InUse,
        Code::Extractor,
        Code::Unavailable,
        Code::StorageFull,
        Code::Corrupt,
        Code::StateFailed,
        Code::Interrupted,
        Code::Internal,
    ];

    pub fn parse(text: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.as_str() == text)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Code::Invalid => "invalid",
            Code::NotFound => "not_found",
            Code::Conflict => "conflict",
            Code::PreconditionFailed => "precondition_failed",
            Code::Unauthenticated => "unauthenticated",
            Code::Forbidden => "forbidden",
            Code::TooLarge => "too_large",
            Code::TooMany => "too_many_requests",
            Code::Unsupported => "unsupported",
            Code::InUse => "in_use",
            Code::Extractor => "extractor",
            Code::Unavailable => "unavailable",
            Code::StorageFull => "storage_full",
            Code::Corrupt => "corrupt",
            Code::StateFailed => "state_failed",
            Code::Interrupted => "interrupted",
            Code::Internal => "internal",
        }
    }

    /// Exit code of the command line, documented in `quarry --help`.
    pub fn exit_code(self) -> u8 {
        match self {
            Code::Invalid | Code::TooLarge => 2,
            Code::NotFound => 4,
            Code::Unauthenticated | Code::Forbidden => 5,
            Code::Conflict
            | Code::PreconditionFailed
            | Code::Unsupported
            | Code::Extractor
            | Code::Internal => 1,
            Code::Unavailable | Code::TooMany => 69,
            Code::StateFailed => 71,
            Code::StorageFull | Code::Corrupt => 74,
            Code::InUse => 75,
            Code::Interrupted => 130,
        }
    }
}

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    code: Code,
    message: String,
    field: Option<String>,
    hint: Option<String>,
    source: Option<Source>,
}

impl Error {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Error(Box::new(Inner { code, message, field: None, hint: None, source: None }))
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Code::Invalid, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Code::Internal, message)
    }

    /// JSON pointer, column or option that is at fault.
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// What to do about it, as a sentence fragment.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    pub fn field_name(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The message followed by the messages of its sources, each once.
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// The message of any error followed by the messages of its sources, each once.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = error.source();
    }
    text
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        match &self.0.field {
            Some(field) => write!(f, " (at {field})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Puts a message in front of a foreign error.
pub trait Context<T> {
    fn context(self, code: Code, message: impl FnOnce() -> String) -> Result<T>;
}

impl<T, E: Into<Source>> Context<T> for std::result::Result<T, E> {
    fn context(self, code: Code, message: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::new(code, message()).source(source))
    }
}
