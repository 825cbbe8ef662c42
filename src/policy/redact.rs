//! Removes secrets from a policy that is stored where others may read it.

use super::health::{Probe, ProbeCheck};
use super::policy::Policy;
use crate::redacted::REDACTED;

impl Policy {
    /// Returns the same policy with the values of probe headers, which may be secret, replaced. Its decisions are the
    /// same.
    ///
    /// ```
    /// use uphold::Policy;
    ///
    /// let policy: Policy = serde_json::from_str(
    ///     r#"{"health": {"liveness": {"http": {"port": 80, "headers": {"Authorization": "Bearer s3cret"}}}}}"#,
    /// )?;
    /// assert!(!serde_json::to_string(&policy.redacted())?.contains("s3cret"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut settings = self.settings().clone();
        let health = &mut settings.health;
        let mut has_secrets = false;
        for probe in [&mut health.startup, &mut health.readiness, &mut health.liveness].into_iter().flatten() {
            has_secrets |= redact(probe);
        }
        if has_secrets { Self::from_valid(settings) } else { self.clone() }
    }
}

fn redact(probe: &mut Probe) -> bool {
    let ProbeCheck::Http(http) = &mut probe.check else { return false };
    http.headers.values_mut().for_each(|value| REDACTED.clone_into(value));
    !http.headers.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{HealthPolicy, HttpCheck};

    #[test]
    fn debug_shows_the_names_of_headers_and_not_their_values() {
        let check = HttpCheck::new("80").header("Authorization", "s3cret");
        let policy = Policy::builder().health(HealthPolicy::new().liveness(Probe::new(ProbeCheck::Http(check))));
        let text = format!("{policy:?} {:?} {:#?}", policy.clone().build(), policy.clone().build());
        assert!(text.contains("Authorization") && !text.contains("s3cret"), "{text}");
    }
}
