//! `uphold schema`: prints the JSON Schema of policy documents.

use uphold::Policy;

use crate::status::CommandStatus;
use crate::streams::Streams;

/// Prints the JSON Schema of the policy document: [`Policy::schema`].
pub fn schema(streams: &mut Streams<'_>) -> CommandStatus {
    streams.println(serde_json::to_string_pretty(&Policy::schema()).unwrap_or_else(|error| error.to_string()));
    CommandStatus::Success
}
