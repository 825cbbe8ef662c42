//! Reads documents of your own that contain a policy. One pass reports every mistake, with its path and what would be
//! right.
//!
//! Deserialise the document as a [`Value`] with any serde format, then read it with a [`Reader`].
//!
//! ```
//! use uphold::Policy;
//! use uphold::document::{Reader, Value};
//!
//! struct Service {
//!     image: String,
//!     policy: Policy,
//! }
//!
//! fn service(reader: &mut Reader, value: &Value) -> Option<Service> {
//!     let fields = reader.fields(value, &["image", "policy"])?;
//!     let image = fields.require(reader, "image", "what to run", Reader::text).map(str::to_owned);
//!     let policy = fields.require(reader, "policy", "what to do when it fails", Reader::policy);
//!     Some(Service { image: image?, policy: policy? })
//! }
//!
//! let document: Value = serde_json::from_str(r#"{"image": "web:3", "policy": {"replicas": 3}}"#)?;
//! let mut reader = Reader::new();
//! let read = service(&mut reader, &document);
//! let web = reader.finish_with(read)?;
//! assert_eq!((web.image.as_str(), web.policy.replicas()), ("web:3", 3));
//!
//! let wrong: Value = serde_json::from_str(r#"{"imgae": "web:3", "policy": {"replicas": -1}}"#)?;
//! let mut reader = Reader::new();
//! let read = service(&mut reader, &wrong);
//! let error = reader.finish_with(read).err().unwrap();
//! let paths: Vec<&str> = error.problems().iter().map(|problem| problem.path()).collect();
//! assert_eq!(paths, ["imgae", "", "policy.replicas"]); // misspelt, so missing; and out of range
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod duration;
mod problem;
mod reader;
mod scalars;
mod suggestion;
pub(crate) mod tokens;
mod value;

pub use problem::{PolicyError, Problem, ReadError};
pub use reader::{FieldSet, Fields, Reader};
pub use value::Value;

pub(crate) use duration::parse as parse_duration;
pub(crate) use duration::{MAX_DURATION, MAX_DURATION_TEXT, PATTERN as DURATION_PATTERN, format as format_duration};
pub(crate) use suggestion::{closest, normalized};
pub(crate) use value::clip;
#[cfg(test)]
pub(crate) use value::is_unprintable;
