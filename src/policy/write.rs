//! Writing a policy back as a document.
