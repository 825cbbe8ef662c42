//! Pictures of incidents.
