//! The JSON Schema of policy documents.

use uphold::Policy;

use crate::{Answer, Streams};

/// Prints the JSON Schema of the policy document: [`Policy::schema`].
pub fn schema(streams: &mut Streams<'_>) -> Answer {
    streams.say(serde_json::to_string_pretty(&Policy::schema()).unwrap_or_else(|error| error.to_string()));
    Answer::Yes
}
