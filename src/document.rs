//! Reading documents of your own that hold a policy, in the way in which policies are read: one walk finds every
//! mistake, and says where it is and what would be right.
//!
//! The document is deserialised as a [`Value`], with any serde format; a [`Walk`] over it reads what is there and
//! reports what is wrong.
//!
//! ```
//! use uphold::Policy;
//! use uphold::document::{Value, Walk};
//!
//! struct Service {
//!     image: String,
//!     policy: Policy,
//! }
//!
//! fn service(walk: &mut Walk, value: &Value) -> Option<Service> {
//!     let fields = walk.fields(value, &["image", "policy"])?;
//!     let image = fields.require(walk, "image", "what to run", Walk::text).map(str::to_owned);
//!     let policy = fields.require(walk, "policy", "what becomes of it when it fails", Walk::policy);
//!     Some(Service { image: image?, policy: policy? })
//! }
//!
//! let document: Value = serde_json::from_str(r#"{"image": "web:3", "policy": {"replicas": 3}}"#)?;
//! let mut walk = Walk::new();
//! let read = service(&mut walk, &document);
//! let web = walk.finish_with(read)?;
//! assert_eq!((web.image.as_str(), web.policy.replicas()), ("web:3", 3));
//!
//! let wrong: Value = serde_json::from_str(r#"{"imgae": "web:3", "policy": {"replicas": -1}}"#)?;
//! let mut walk = Walk::new();
//! let read = service(&mut walk, &wrong);
//! let error = walk.finish_with(read).err().unwrap();
//! let paths: Vec<&str> = error.problems().iter().map(|problem| problem.path()).collect();
//! assert_eq!(paths, ["imgae", "", "policy.replicas"]); // misspelt, so missing; and out of range
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::policy::read::{Fields, Known, Value, Walk};
