//! Formats of texts, such as names: the checks of the reader and the same as patterns of the schema.

use crate::policy::exit::Signal;
use crate::policy::range;

/// The form of a text. Lengths are counted in characters, as JSON Schema counts them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// The name of a rule.
    RuleName,
    /// The name of a cause.
    Cause,
    /// A text with `*` in it.
    Glob,
    /// The path of an HTTP request.
    Path,
    /// A host name or address.
    Host,
    /// A command or one of its arguments.
    Argument,
}

impl Form {
    /// How many characters it may have.
    pub(crate) const fn most(self) -> usize {
        match self {
            Self::RuleName | Self::Cause => range::MAX_NAME,
            Self::Glob => range::MAX_GLOB,
            Self::Path => range::MAX_PATH,
            Self::Host => range::MAX_HOST,
            Self::Argument => range::MAX_ARGUMENT,
        }
    }

    /// As a regular expression that ECMA-262 and Rust's `regex` read alike; empty where any character may stand.
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

    /// Whether it may be empty.
    pub(crate) const fn may_be_empty(self) -> bool {
        matches!(self, Self::Argument)
    }

    /// What is wrong with a text, if something is.
    pub(crate) fn problem(self, text: &str) -> Option<String> {
        let fine = match self {
            Self::RuleName => {
                if text.is_empty() {
                    return Some("is empty; leave it out to call the rule by its index".into());
                }
                if text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Some("is a number, which is what rules without a name are called; choose a word".into());
                }
                !text.contains(char::is_control)
            }
            Self::Cause => true,
            Self::Glob => {
                if text.is_empty() {
                    return Some("is empty; write `*` for any reason, or leave it out".into());
                }
                true
            }
            Self::Path => {
                if !text.starts_with('/') {
                    return Some("must begin with '/'".into());
                }
                if text.contains(|c: char| c.is_control() || c == ' ') {
                    return Some("must not hold spaces, line breaks or other control characters".into());
                }
                true
            }
            Self::Host => {
                if text.is_empty() || text.contains(|c: char| c.is_control() || c == ' ' || c == '/') {
                    return Some("is not a host: a name or an address, without port and path".into());
                }
                true
            }
            Self::Argument => {
                if text.contains('\0') {
                    return Some("must not hold a NUL character".into());
                }
                true
            }
        };
        if !fine {
            return Some(format!("must be at most {} characters, without control characters", self.most()));
        }
        too_long(text, self.most())
    }
}

/// Says that a text is too long, if it is.
pub(crate) fn too_long(text: &str, most: usize) -> Option<String> {
    // Bytes first: they are known, characters are counted.
    let characters = if text.len() <= most { 0 } else { text.chars().count() };
    (characters > most).then(|| format!("has {characters} characters; at most {most} are allowed"))
}

/// A name of a header: a token of RFC 9110.
pub(crate) const HEADER_NAME: &str = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$";
/// A value of a header.
pub(crate) const HEADER_VALUE: &str = r"^[^\u0000-\u0008\u000a-\u001f\u007f-\u009f]*$";

pub(crate) fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

pub(crate) fn is_header_value(value: &str) -> bool {
    !value.contains(|c: char| c.is_control() && c != '\t')
}

/// A port as text: a number, or digits and at least one placeholder.
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

/// A whole percentage of at most 100; [`PERCENT_ABOVE_ZERO`] leaves out 0%.
pub(crate) const PERCENT: &str = "^ *0*(100|[0-9]{1,2}) *% *$";
pub(crate) const PERCENT_ABOVE_ZERO: &str = "^ *0*(100|[1-9][0-9]?) *% *$";

/// The number of `50%`, 0 to 100.
pub(crate) fn percent(text: &str) -> Option<u8> {
    let digits = text.trim_matches(' ').strip_suffix('%')?.trim_end_matches(' ');
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|percent| *percent <= 100)
}

/// `64..=78`. That the first is not above the last, a schema cannot say.
pub(crate) const CODE_RANGE: &str = r"^ *-?[0-9]{1,10} *\.\.= *-?[0-9]{1,10} *$";
/// `200..=399`.
pub(crate) const STATUS_RANGE: &str = r"^ *[1-5][0-9]{2} *\.\.= *[1-5][0-9]{2} *$";

/// `1..=3`, of replicas.
pub(crate) const REPLICA_RANGE: &str = r"^ *[0-9]{1,6} *\.\.= *[0-9]{1,6} *$";

/// The two ends of `64..=78`, as they are written.
pub(crate) fn ends(text: &str) -> Option<(&str, &str)> {
    text.split_once("..=").map(|(first, last)| (first.trim_matches(' '), last.trim_matches(' ')))
}

/// A whole number without sign, but for `-`, and at most ten digits.
pub(crate) fn number(text: &str) -> Option<i32> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let fine = (1..=10).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// The number of a replica, at most six digits.
pub(crate) fn replica(text: &str) -> Option<u32> {
    let fine = (1..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// A status of three digits.
pub(crate) fn status(text: &str) -> Option<u16> {
    if text.len() != 3 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok().filter(|status| range::STATUS.contains(&u32::from(*status)))
}

/// The names of signals, in either case, with or without `SIG`.
pub(crate) fn signal_pattern() -> String {
    let either = |word: &str| -> String {
        word.chars()
            .map(|c| if c.is_ascii_alphabetic() { format!("[{c}{}]", c.to_ascii_lowercase()) } else { c.to_string() })
            .collect()
    };
    let names: Vec<String> = Signal::NAMES.iter().map(|name| either(&name[3..])).collect();
    format!("^({})?({})$", either("SIG"), names.join("|"))
}
