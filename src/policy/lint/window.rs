//! Whether a window limit can ever be reached.

use super::super::jitter::Jitter;
use super::super::retry_schedule::{FOREVER, Pacing, with_room_for};

/// For more restarts than this, only the shortest delay counts. This is exact enough, and the exact way is quadratic.
const MAX_EXACT_RESTARTS: u32 = 200;

/// Returns the least delay of this level, jitter included.
pub(super) fn min_delay(pacing: &Pacing, level: u32) -> u64 {
    let nominal = pacing.nominal(level);
    match pacing.jitter {
        Jitter::None => nominal,
        Jitter::Equal => nominal - nominal / 2,
        Jitter::Full => 0,
        Jitter::Decorrelated => pacing.interval.min(pacing.cap),
        // At the cap the base is lowered so that the spread fits.
        Jitter::Spread(percent) => nominal.min(with_room_for(pacing.cap, percent)),
    }
}

/// The pacing of a streak, from which follows how fast restarts can follow one another.
pub(super) struct Pace<'a> {
    /// The pacing; several if any of them may apply.
    pub(super) pacings: &'a [&'a Pacing],
    /// Whether the first restart of a streak may have no delay.
    pub(super) immediate: bool,
    /// The least time ready after which delays become shorter.
    pub(super) recovery: u64,
}

impl Pace<'_> {
    /// Returns the least time in which this many delays can follow one another, in nanoseconds.
    ///
    /// A streak that recovers starts again at its shortest delays. The result is therefore the least over all ways to
    /// divide the restarts among streaks.
    pub(super) fn min_time(&self, restarts: u32) -> u64 {
        if restarts > MAX_EXACT_RESTARTS {
            let shortest = if self.immediate { 0 } else { self.sums(1, usize::MAX).last().copied().unwrap_or(0) };
            return shortest.saturating_mul(restarts.into());
        }
        let count = restarts as usize;
        let fresh = self.of_a_new_streak(count);
        let mut best = self.sums(count, usize::MAX);
        for total in 1..=count {
            let begun_anew = (1..total)
                .map(|in_last| best[total - in_last].saturating_add(self.recovery).saturating_add(fresh[in_last]))
                .min()
                .unwrap_or(FOREVER);
            best[total] = best[total].min(fresh[total]).min(begun_anew);
        }
        best[count]
    }

    /// Returns the time of the first 0, 1, 2, ... delays of a streak.
    fn of_a_new_streak(&self, count: usize) -> Vec<u64> {
        let mut sums = self.sums(count, 1);
        if self.immediate {
            sums.insert(0, 0);
            sums.truncate(count + 1);
        }
        sums
    }

    /// Returns the least time of 0, 1, 2, ... consecutive delays that begin at one of the first `starts` levels.
    fn sums(&self, count: usize, starts: usize) -> Vec<u64> {
        let levels = self.levels((2 * count + 1).max(1001) as u32);
        // Only a schedule can have shorter delays after longer ones; it has at most 1000.
        let rises = levels.windows(2).all(|pair| pair[0] <= pair[1]);
        let starts = if rises { 1 } else { starts.min(levels.len() - count) };
        let mut least = vec![FOREVER; count + 1];
        for start in 0..starts.max(1) {
            let mut sum = 0u64;
            least[0] = 0;
            for (taken, delay) in levels[start..].iter().take(count).enumerate() {
                sum = sum.saturating_add(*delay);
                least[taken + 1] = least[taken + 1].min(sum);
            }
        }
        least
    }

    fn levels(&self, count: u32) -> Vec<u64> {
        match self.pacings {
            [only] => (0..count).map(|level| min_delay(only, level)).collect(),
            // If several may apply, each may be at its shortest delay.
            several => vec![several.iter().map(|pacing| shortest_delay(pacing)).min().unwrap_or(0); count as usize],
        }
    }
}

/// Returns the shortest delay of any level.
fn shortest_delay(pacing: &Pacing) -> u64 {
    (0..1000).map(|level| min_delay(pacing, level)).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, warns};
    use serde_json::json;

    #[test]
    fn a_limit_that_pacing_makes_unreachable_is_found_at_the_edge() {
        let limit = |restarts: u32, within: &str, interval: &str| json!({"retry": {"interval": interval, "limit": {"restarts": restarts, "within": within}}});
        // k8s-nomad/50 and 51, 70; supervisors/W8 and S7.
        for (restarts, within, interval) in
            [(5, "300s", "60s"), (10, "1h", "20m"), (3, "10s", "10s"), (5, "10s", "2500ms"), (2000, "1000s", "500ms")]
        {
            warns(limit(restarts, within, interval), "retry.limit unreachable-limit");
        }
        for (restarts, within, interval) in
            [(5, "300s", "59s"), (5, "300s", "50s"), (3, "30s", "5s"), (5, "10s", "1999ms"), (2000, "1001s", "500ms")]
        {
            is_quiet(limit(restarts, within, interval));
        }
    }

    #[test]
    fn growth_counts_toward_the_time_that_restarts_take() {
        let limit = |restarts: u32, within: &str| {
            json!({"retry": {
                "interval": "5m", "backoff": "exponential", "max_interval": "40m",
                "limit": {"restarts": restarts, "within": within}, "recover": "never",
            }})
        };
        // k8s-nomad/71: 5, 10, 20 and 40 minutes.
        warns(limit(10, "30m"), "retry.limit unreachable-limit");
        warns(limit(4, "75m"), "retry.limit unreachable-limit");
        is_quiet(limit(4, "76m"));
    }

    #[test]
    fn jitter_counts_with_the_least_delay_that_it_can_give() {
        let limit = |jitter: serde_json::Value, within: &str| json!({"retry": {"interval": "10s", "jitter": jitter, "limit": {"restarts": 4, "within": within}}});
        warns(limit(json!("equal"), "20s"), "retry.limit unreachable-limit");
        is_quiet(limit(json!("equal"), "21s"));
        is_quiet(limit(json!("full"), "1s"));
        warns(limit(json!({"spread": "50%"}), "40s"), "retry.limit unreachable-limit");
    }

    #[test]
    fn an_immediate_first_restart_makes_room_for_one_more() {
        let limit = |within: &str| {
            let limit = json!({"restarts": 3, "within": within});
            json!({"retry": {"interval": "10s", "immediate_first": true, "recover": {"after": "1h"}, "limit": limit}})
        };
        warns(limit("20s"), "retry.limit unreachable-limit");
        is_quiet(limit("21s"));
    }

    #[test]
    fn a_streak_that_recovers_starts_again_at_its_shortest_delay() {
        // Three restarts take 0 + 100 s + 100 s in one streak, but only 20 s in three streaks of one.
        let limit = |within: &str| {
            let limit = json!({"restarts": 3, "within": within});
            let retry =
                json!({"interval": "100s", "immediate_first": true, "recover": {"after": "10s"}, "limit": limit});
            super::super::tests::lints(&json!({"retry": retry}))
        };
        assert!(limit("20s").contains(&"retry.limit unreachable-limit".to_owned()));
        assert!(!limit("21s").contains(&"retry.limit unreachable-limit".to_owned()));
    }

    #[test]
    fn a_schedule_counts_with_its_fastest_part() {
        let limit = |within: &str| {
            let backoff = json!({"schedule": ["60s", "1s", "1s", "60s"]});
            json!({"retry": {"backoff": backoff, "limit": {"restarts": 2, "within": within}, "recover": "never"}})
        };
        warns(limit("2s"), "retry.limit unreachable-limit");
        is_quiet(limit("3s"));
    }

    #[test]
    fn the_limit_of_a_stage_is_compared_with_the_pacing_of_that_stage() {
        let staged = |within: &str| {
            let slow = json!({"interval": "1m", "limit": {"restarts": 3, "within": within}});
            json!({"retry": {"stages": [{"max_attempts": 2, "interval": "1s"}, slow]}})
        };
        warns(staged("3m"), "retry.stages[1].limit unreachable-limit");
        is_quiet(staged("4m"));
    }
}
