//! Guides: choosing a policy, embedding, writing a backend, persistence, troubleshooting, coming from another system, and a
//! glossary. This module contains documentation only.

#[doc = include_str!("_docs/policies.md")]
pub mod policies {}

#[doc = include_str!("_docs/embedding.md")]
pub mod embedding {}

#[doc = include_str!("_docs/backends.md")]
pub mod backends {}

#[doc = include_str!("_docs/persistence.md")]
pub mod persistence {}

#[doc = include_str!("_docs/troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("_docs/coming_from.md")]
pub mod coming_from {}

#[doc = include_str!("_docs/glossary.md")]
pub mod glossary {}
