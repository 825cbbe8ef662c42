//! Parses YAML text, with limits and with error messages for users.

use serde::de::DeserializeOwned;

/// Parses a value from YAML text.
///
/// ```
/// use uphold::Policy;
/// use uphold_lab::files::parse_yaml;
///
/// let policy: Policy = parse_yaml("{replicas: 3, retry: {interval: 30s}}")?;
/// assert_eq!(policy.replicas(), 3);
/// assert!(parse_yaml::<Policy>("{replica: 3}").unwrap_err().contains("did you mean 'replicas'?"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Every mistake in the text.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Generous: the readers of the documents have limits of their own, with better error messages.
    const MAX_NODES: usize = 100_000_000;
    let options = serde_saphyr::options! {
        with_snippet: false,
        // The readers of the documents report these with their path, together with all other mistakes.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_events: MAX_NODES,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: 10 * MAX_NODES,
            max_recorded_anchor_events: 100_000,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| user_message(&error.to_string()))
}

/// Rewrites the parser's common errors, which mention its API, for users.
fn user_message(error: &str) -> String {
    let position = error.find(" at line ").map_or("", |start| &error[start..]);
    let position = position.find(" (").map_or(position, |end| &position[..end]);
    if error.contains("multiple YAML documents") {
        return format!("contains several documents (`---`); use one file for each{position}");
    }
    if error.starts_with("budget breached") {
        let what = if error.contains("nchor") || error.contains("lias") {
            "its aliases (`*name`) expand to more than a document may contain"
        } else {
            "exceeds the limits on size and nesting"
        };
        return format!("{what}{position}");
    }
    if error.starts_with("recursion limit exceeded") {
        return format!("is nested too deeply{position}");
    }
    error.to_owned()
}
