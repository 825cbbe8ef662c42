//! Formats of texts, such as names: as checks for the reader and as patterns for the schema.

use crate::policy::exit::Signal;
use crate::policy::range;

/// The format of a text. Lengths are counted in characters, as JSON Schema does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// The name of a rule.
    RuleName,
    /// The name of a cause.
    Cause,
    /// A text in which `*` stands for any run of characters.
    Glob,
    /// The path of an HTTP request.
    Path,
    /// A host name or address.
    Host,
    /// A command or one of its arguments.
    Argument,
}

impl Form {
    /// Returns the most characters that it may have.
    pub(crate) const fn max_length(self) -> usize {
        match self {
            Self::RuleName | Self::Cause => range::MAX_NAME,
            Self::Glob => range::MAX_GLOB,
            Self::Path => range::MAX_PATH,
            Self::Host => range::MAX_HOST,
            Self::Argument => range::MAX_ARGUMENT,
        }
    }

    /// Returns the format as a regular expression that ECMA-262 and Rust's `regex` read alike; empty if any text is
    /// valid.
    pub(crate) const fn pattern(self) -> &'static str {
        match self {
            Self::RuleName => {
                r"^[^\u0000-\u001f\u007f-\u009f]*[^0-9\u0000-\u001f\u007f-\u009f][^\u0000-\u001f\u007f-\u009f]*$"
            }
            Self::Cause => "^[a-z][a-z0-9._-]*$",
            Self::Glob => "",
            Self::Path => r"^/[^ \u0000-\u001f\u007f-\u009f]*$",
            Self::Host => r"^[^ /\u0000-\u001f\u007f-\u009f]+$",
            Self::Argument => r"^[^\u0000]*$",
        }
    }

    /// Returns whether an empty text is valid.
    pub(crate) const fn may_be_empty(self) -> bool {
        matches!(self, Self::Argument)
    }

    /// Returns what is wrong with a text and what would be right, or `None` if it is valid.
    pub(crate) fn problem(self, text: &str) -> Option<String> {
        let problem = match self {
            Self::RuleName if text.is_empty() => {
                "is empty; write a name, or leave it out to call the rule by its index"
            }
            Self::RuleName if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                "is a number, and rules without a name are called by their number; write a word"
            }
            Self::RuleName if text.contains(char::is_control) => "must not contain control characters",
            Self::Glob if text.is_empty() => "is empty; write `*` for any reason, or leave it out",
            Self::Path if !text.starts_with('/') => "must begin with '/'",
            Self::Path if text.contains(|c: char| c.is_control() || c == ' ') => {
                "must not contain spaces, line breaks or other control characters"
            }
            Self::Host if text.is_empty() || text.contains(|c: char| c.is_control() || c == ' ' || c == '/') => {
                "is not a host; write a name or an address, without port and path"
            }
            Self::Argument if text.contains('\0') => "must not contain a NUL character",
            _ => return too_long(text, self.max_length()),
        };
        Some(problem.into())
    }
}

/// Returns the problem of a text with more than `most` characters.
pub(crate) fn too_long(text: &str, most: usize) -> Option<String> {
    // The number of bytes is known, and bounds that of characters, which must be counted.
    let characters = if text.len() <= most { 0 } else { text.chars().count() };
    (characters > most).then(|| format!("has {characters} characters; at most {most} are allowed"))
}

/// The pattern of a header's name: a token of RFC 9110.
pub(crate) const HEADER_NAME: &str = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/// The pattern of a header's value.
pub(crate) const HEADER_VALUE: &str = r"^[^\u0000-\u0008\u000a-\u001f\u007f-\u009f]*$";

pub(crate) fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

pub(crate) fn is_header_value(value: &str) -> bool {
    !value.contains(|c: char| c.is_control() && c != '\t')
}

/// The pattern of a port as text: a number, or digits and at least one placeholder.
pub(crate) const PORT: &str = r"^(0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])|[0-9]*(\{[^{}\u0000-\u001f\u007f-\u009f]+\}[0-9]*)+)$";

pub(crate) fn is_port(text: &str) -> bool {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().is_ok_and(|number| range::PORT.contains(&number));
    }
    let mut rest = text;
    let mut found = false;
    while let Some(open) = rest.find('{') {
        let Some((name, after)) = rest[open + 1..].split_once('}') else { return false };
        if !rest[..open].bytes().all(|byte| byte.is_ascii_digit())
            || name.is_empty()
            || name.contains(|c: char| c.is_control() || c == '{')
        {
            return false;
        }
        (found, rest) = (true, after);
    }
    found && rest.bytes().all(|byte| byte.is_ascii_digit())
}

/// The pattern of a whole percentage, 0% to 100%.
pub(crate) const PERCENT: &str = "^ *0*(100|[0-9]{1,2}) *% *$";
/// The pattern of a whole percentage, 1% to 100%.
pub(crate) const PERCENT_ABOVE_ZERO: &str = "^ *0*(100|[1-9][0-9]?) *% *$";

/// Reads a percentage such as `50%`, 0 to 100.
pub(crate) fn percent(text: &str) -> Option<u8> {
    let digits = text.trim_matches(' ').strip_suffix('%')?.trim_end_matches(' ');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|percent| *percent <= 100)
}

/// The pattern of a range of exit codes such as `64..=78`. A schema cannot say that its ends are in order.
pub(crate) const CODE_RANGE: &str = r"^ *-?[0-9]{1,10} *\.\.= *-?[0-9]{1,10} *$";
/// The pattern of a range of HTTP statuses such as `200..=399`.
pub(crate) const STATUS_RANGE: &str = r"^ *[1-5][0-9]{2} *\.\.= *[1-5][0-9]{2} *$";

/// The pattern of a range of replicas such as `1..=3`.
pub(crate) const REPLICA_RANGE: &str = r"^ *[0-9]{1,6} *\.\.= *[0-9]{1,6} *$";

/// The pattern of a range of numbers of replicas such as `2..10`; `2..=10` is the same.
pub(crate) const REPLICAS_RANGE: &str = r"^ *0*(1000000|[0-9]{1,6}) *\.\.=? *0*(1000000|[0-9]{1,6}) *$";

/// Splits a range such as `64..=78` into its ends.
pub(crate) fn ends(text: &str) -> Option<(&str, &str)> {
    text.split_once("..=").map(|(first, last)| (first.trim_matches(' '), last.trim_matches(' ')))
}

/// Reads a whole number of at most ten digits, without a sign other than `-`.
pub(crate) fn number(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fine = (1..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// Reads the number of a replica, at most six digits.
pub(crate) fn replica(text: &str) -> Option<u32> {
    let fine = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// Reads a number of replicas, digits only.
pub(crate) fn replicas(text: &str) -> Option<u32> {
    let fine = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok().filter(|number| range::REPLICAS.contains(number)) } else { None }
}

/// Reads an HTTP status of three digits.
pub(crate) fn status(text: &str) -> Option<u16> {
    if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|status| range::STATUS.contains(&u32::from(*status)))
}

/// Returns the pattern of signal names, in any case, with or without `SIG`.
pub(crate) fn signal_pattern() -> String {
    let either = |word: &str| -> String {
        word.chars()
            .map(|c| if c.is_ascii_alphabetic() { format!("[{c}{}]", c.to_ascii_lowercase()) } else { c.to_string() })
            .collect()
    };
    let names: Vec<String> = Signal::NAMES.iter().map(|name| either(&name[3..])).collect();
    format!("^({})?({})$", either("SIG"), names.join("|"))
}
