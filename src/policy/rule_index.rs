//! An index of rules by bit masks: finding the first match takes about as long for a hundred rules as for one.
//!
//! Each value that a condition can name (an exit code, a signal, a cause) has a mask with a bit for each rule that
//! matches it. The masks of one failure are combined with AND; the lowest bit is the first matching rule. Conditions on
//! the reason text and the attempt number are then checked rule by rule.

use super::cause::Cause;
use super::compiled_rule::{CompiledRule, MatchedRule};
use super::exit::Exit;
use super::rule::Rule;
use crate::time::nanos;

/// The compiled rules of a policy.
#[derive(Debug, Default)]
pub(crate) struct RuleIndex {
    rules: Box<[CompiledRule]>,
    /// The number of 64-bit words in one mask.
    words: usize,
    /// The mask of rules without a condition on how the process ended.
    any_exit: Box<[u64]>,
    /// The first exit code of each range in which the same rules match, ascending.
    code_starts: Box<[i32]>,
    /// For each exit code from 0 to 255, the index of its range in `code_starts`.
    code_ranges: Box<[u32]>,
    /// One mask for each entry of `code_starts`.
    code_masks: Box<[u64]>,
    /// One mask for each signal number, from 0.
    signal_masks: Box<[u64]>,
    /// One mask for each built-in cause, in the order of `Cause::BUILT_IN`, then one for custom causes that no rule
    /// names.
    cause_masks: Box<[u64]>,
    /// The custom causes that rules name, sorted, each with its mask.
    named: Box<[(Cause, Box<[u64]>)]>,
    /// The mask of rules that name a cause.
    names_cause: Box<[u64]>,
    /// Masks by the number of the replica; `None` if no rule has this condition.
    by_replica: Option<Ranges>,
    /// Masks by the run time in nanoseconds; `None` if no rule has this condition.
    by_run: Option<Ranges>,
    /// The mask for incarnations that were never ready, then the one for those that were; empty if no rule has this
    /// condition.
    by_ready: Box<[u64]>,
    /// Whether any rule has a condition on the replica, its run time or its readiness.
    has_incarnation_conditions: bool,
}

/// Masks of the rules that match a number, one for each range in which the same rules match.
#[derive(Debug)]
struct Ranges {
    /// The first number of each range, ascending from 0.
    starts: Box<[u64]>,
    /// One mask for each range.
    masks: Box<[u64]>,
}

impl Ranges {
    fn new(mut starts: Vec<u64>, mask: impl Fn(u64) -> Box<[u64]>) -> Self {
        starts.push(0);
        starts.sort_unstable();
        starts.dedup();
        let masks = starts.iter().map(|&start| mask(start)).collect::<Vec<_>>().concat();
        Self { starts: starts.into(), masks: masks.into() }
    }

    fn mask(&self, number: u64, words: usize) -> &[u64] {
        let range = self.starts.partition_point(|&start| start <= number) - 1;
        &self.masks[range * words..][..words]
    }
}

/// What a rule can match of one failure.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) cause: &'a Cause,
    pub(crate) exit: Option<Exit>,
    pub(crate) reason: Option<&'a str>,
    pub(crate) replica: u32,
    /// How long the incarnation ran, in nanoseconds.
    pub(crate) ran: u64,
    /// Whether the incarnation was ever ready.
    pub(crate) was_ready: bool,
}

impl RuleIndex {
    /// Builds the index. `schedules[i]` is the schedule of rule i.
    pub(crate) fn new(rules: &[Rule], schedules: &[u16]) -> Self {
        let words = rules.len().div_ceil(64);
        let mask = |matches: &dyn Fn(&Rule) -> bool| {
            let mut mask = vec![0u64; words];
            for (index, _) in rules.iter().enumerate().filter(|(_, rule)| matches(rule)) {
                mask[index / 64] |= 1 << (index % 64);
            }
            mask.into_boxed_slice()
        };
        let concat = |masks: Vec<Box<[u64]>>| masks.concat().into_boxed_slice();

        let mut starts = vec![i32::MIN];
        for range in rules.iter().flat_map(|rule| &rule.exit_codes) {
            starts.push(range.first);
            starts.extend(range.last.checked_add(1));
        }
        starts.sort_unstable();
        starts.dedup();
        let code_masks = starts
            .iter()
            .map(|&code| {
                mask(&|rule: &Rule| {
                    let listed = rule.exit_codes.iter().any(|range| range.first <= code && code <= range.last);
                    rule.signals.is_empty() && (rule.exit_codes.is_empty() || listed)
                })
            })
            .collect();
        let signal_masks = (0..=64u8)
            .map(|number| {
                mask(&|rule: &Rule| {
                    let listed = rule.signals.iter().any(|signal| signal.number() == number);
                    rule.exit_codes.is_empty() && (rule.signals.is_empty() || listed)
                })
            })
            .collect();
        let names = |rule: &Rule, cause: &Cause| rule.causes.is_empty() || rule.causes.contains(cause);
        let mut cause_masks: Vec<_> =
            Cause::BUILT_IN.iter().map(|cause| mask(&|rule: &Rule| names(rule, cause))).collect();
        cause_masks.push(mask(&|rule: &Rule| rule.causes.is_empty()));
        let mut own: Vec<Cause> = rules.iter().flat_map(|rule| rule.causes.iter().cloned()).collect();
        own.retain(|cause| matches!(cause, Cause::Named(_)));
        own.sort_unstable();
        own.dedup();
        let named = own
            .into_iter()
            .map(|cause| {
                let matching = mask(&|rule: &Rule| names(rule, &cause));
                (cause, matching)
            })
            .collect();

        let replicas = rules.iter().flat_map(|rule| &rule.replicas);
        let replicas: Vec<u64> =
            replicas.flat_map(|range| [u64::from(range.first), u64::from(range.last) + 1]).collect();
        let by_replica = (!replicas.is_empty()).then(|| {
            Ranges::new(replicas, |number| {
                mask(&|rule: &Rule| {
                    let mut ranges = rule.replicas.iter();
                    rule.replicas.is_empty()
                        || ranges.any(|range| (range.first.into()..=range.last.into()).contains(&number))
                })
            })
        });
        let runs: Vec<u64> = rules.iter().filter_map(|rule| rule.ran_under).map(nanos).collect();
        let by_run = (!runs.is_empty()).then(|| {
            Ranges::new(runs, |ran| mask(&|rule: &Rule| rule.ran_under.is_none_or(|under| ran < nanos(under))))
        });
        let by_ready = if rules.iter().any(|rule| rule.was_ready.is_some()) {
            [false, true].map(|ready| mask(&|rule: &Rule| rule.was_ready.is_none_or(|was| was == ready))).concat()
        } else {
            Vec::new()
        };

        Self {
            words,
            has_incarnation_conditions: by_replica.is_some() || by_run.is_some() || !by_ready.is_empty(),
            by_replica,
            by_run,
            by_ready: by_ready.into(),
            any_exit: mask(&|rule: &Rule| rule.exit_codes.is_empty() && rule.signals.is_empty()),
            code_ranges: (0..=255).map(|code| range_of(&starts, code) as u32).collect(),
            code_starts: starts.into(),
            code_masks: concat(code_masks),
            signal_masks: concat(signal_masks),
            cause_masks: concat(cause_masks),
            named,
            names_cause: mask(&|rule: &Rule| !rule.causes.is_empty()),
            rules: rules
                .iter()
                .zip(schedules)
                .enumerate()
                .map(|(index, (rule, &schedule))| CompiledRule {
                    key: rule.name.clone().unwrap_or_else(|| index.to_string()),
                    matched: std::sync::Arc::new(MatchedRule {
                        index: index as u16,
                        name: rule.name.as_deref().map(Into::into),
                    }),
                    then: rule.then,
                    charge: rule.charge,
                    schedule,
                    attempts_over: rule.attempts_over,
                    reasons: rule.reasons.clone().into(),
                    needs_live_facts: !rule.reasons.is_empty() || rule.ran_under.is_some() || rule.was_ready.is_some(),
                })
                .collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns the key of each rule's state.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.key.as_str())
    }

    pub(crate) fn rule(&self, index: u16) -> Option<&CompiledRule> {
        self.rules.get(usize::from(index))
    }

    /// Returns the first rule that matches. `attempt` gives the attempt number in the streak of a schedule.
    pub(crate) fn first(&self, failure: Failure<'_>, attempt: impl Fn(u16) -> u32) -> Option<u16> {
        self.search(failure, Search::All, |_, rule| rule.matches_reason(failure.reason), attempt)
    }

    /// Returns the first rule that matches and names the cause of the failure.
    pub(crate) fn first_naming_cause(&self, failure: Failure<'_>, attempt: impl Fn(u16) -> u32) -> Option<u16> {
        self.search(failure, Search::Naming, |_, rule| rule.matches_reason(failure.reason), attempt)
    }

    /// Returns the first rule that matches an earlier failure with the current attempt number. Reason, run time and
    /// readiness of that failure are no longer known. A rule with such a condition can match only if it matched then
    /// (`matched`).
    pub(crate) fn first_for_earlier(
        &self,
        earlier: Failure<'_>,
        matched: Option<u16>,
        attempt: impl Fn(u16) -> u32,
    ) -> Option<u16> {
        self.search(earlier, Search::Earlier, |index, rule| !rule.needs_live_facts || matched == Some(index), attempt)
    }

    fn search(
        &self,
        failure: Failure<'_>,
        search: Search,
        reason: impl Fn(u16, &CompiledRule) -> bool,
        attempt: impl Fn(u16) -> u32,
    ) -> Option<u16> {
        if self.rules.is_empty() {
            return None;
        }
        let exits = match failure.exit {
            None => &self.any_exit[..],
            Some(Exit::Code(code)) => {
                // The codes that a process can have are in a table; others are rare.
                let range = match usize::try_from(code).ok().and_then(|code| self.code_ranges.get(code)) {
                    Some(range) => *range as usize,
                    None => range_of(&self.code_starts, code),
                };
                &self.code_masks[range * self.words..][..self.words]
            }
            Some(Exit::Signal(signal)) => &self.signal_masks[usize::from(signal.number()) * self.words..][..self.words],
        };
        let causes = self.cause_mask(failure.cause);
        for word in 0..self.words {
            let mut bits = exits[word] & causes[word];
            if search == Search::Naming {
                bits &= self.names_cause[word];
            }
            if self.has_incarnation_conditions {
                bits &= self.incarnation_mask(failure, search, word);
            }
            while bits != 0 {
                let index = (word * 64) as u16 + bits.trailing_zeros() as u16;
                let rule = &self.rules[usize::from(index)];
                if reason(index, rule) && rule.attempts_over.is_none_or(|over| attempt(rule.schedule) > over) {
                    return Some(index);
                }
                bits &= bits - 1;
            }
        }
        None
    }

    /// Returns the rules that match the replica, its run time and its readiness.
    #[inline(never)]
    fn incarnation_mask(&self, failure: Failure<'_>, search: Search, word: usize) -> u64 {
        let mut bits = u64::MAX;
        if let Some(ranges) = &self.by_replica {
            bits &= ranges.mask(failure.replica.into(), self.words)[word];
        }
        if search == Search::Earlier {
            return bits;
        }
        if let Some(ranges) = &self.by_run {
            bits &= ranges.mask(failure.ran, self.words)[word];
        }
        if !self.by_ready.is_empty() {
            bits &= self.by_ready[usize::from(failure.was_ready) * self.words + word];
        }
        bits
    }

    fn cause_mask(&self, cause: &Cause) -> &[u64] {
        if let Cause::Named(_) = cause {
            if let Ok(found) = self.named.binary_search_by(|(name, _)| name.cmp(cause)) {
                return &self.named[found].1;
            }
        }
        let index = cause.index();
        &self.cause_masks[index * self.words..][..self.words]
    }
}

/// Which rules are considered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Search {
    All,
    /// Only rules that name a cause.
    Naming,
    /// For an earlier failure, without the conditions on run time and readiness.
    Earlier,
}

/// Returns the index of the range that contains an exit code.
fn range_of(starts: &[i32], code: i32) -> usize {
    starts.partition_point(|&start| start <= code) - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::exit::Signal;
    use crate::policy::rule::RuleAction;

    const NOTHING: Failure<'static> =
        Failure { cause: &Cause::Error, exit: None, reason: None, replica: 0, ran: 0, was_ready: false };

    fn index(rules: &[Rule]) -> RuleIndex {
        RuleIndex::new(rules, &vec![0; rules.len()])
    }

    fn exited(index: &RuleIndex, code: i32) -> Option<u16> {
        index.first(Failure { cause: &Cause::Error, exit: Some(Exit::Code(code)), reason: None, ..NOTHING }, |_| 1)
    }

    fn caused(index: &RuleIndex, cause: &Cause) -> Option<u16> {
        index.first(Failure { cause, exit: None, reason: None, ..NOTHING }, |_| 1)
    }

    fn rule() -> Rule {
        Rule::new(RuleAction::Retry)
    }

    #[test]
    fn the_first_rule_that_lists_the_exit_code_wins() {
        // k8s-nomad/80: [count 1 2 3], [fail-group 4 5 6] on exit 6 is decided by rule 1.
        let rules = index(&[rule().exit_codes(1..=3), rule().exit_codes(4..=6), rule().exit_code(6)]);
        assert_eq!(exited(&rules, 6), Some(1));
        assert_eq!(exited(&rules, 0), None);
        assert_eq!(exited(&rules, 7), None);
        assert_eq!(exited(&rules, 3), Some(0));
    }

    #[test]
    fn ranges_may_end_at_the_limits_of_i32() {
        let rules = index(&[rule().exit_codes(i32::MIN..=-1), rule().exit_codes(200..=i32::MAX)]);
        assert_eq!(exited(&rules, i32::MIN), Some(0));
        assert_eq!(exited(&rules, i32::MAX), Some(1));
        assert_eq!(exited(&rules, 199), None);
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let rules = index(&[rule().exit_code(2).cause(Cause::OutOfMemory), rule().signal(Signal::KILL)]);
        assert_eq!(exited(&rules, 2), None);
        let oom = Failure { cause: &Cause::OutOfMemory, exit: Some(Exit::Code(2)), reason: None, ..NOTHING };
        assert_eq!(rules.first(oom, |_| 1), Some(0));
        let killed = Failure { cause: &Cause::Error, exit: Some(Exit::Signal(Signal::KILL)), reason: None, ..NOTHING };
        assert_eq!(rules.first(killed, |_| 1), Some(1));
    }

    #[test]
    fn custom_causes_match_by_name() {
        let gpu: Cause = "gpu-fell-off".parse().unwrap();
        let rules = index(&[rule().cause(gpu.clone()), rule().cause(Cause::NodeLost)]);
        assert_eq!(caused(&rules, &gpu), Some(0));
        assert_eq!(caused(&rules, &"other".parse().unwrap()), None);
        assert_eq!(caused(&rules, &Cause::NodeLost), Some(1));
    }

    #[test]
    fn attempts_over_matches_only_beyond_its_number() {
        let rules = index(&[rule().cause(Cause::OutOfMemory).attempts_over(3), rule()]);
        let oom = Failure { cause: &Cause::OutOfMemory, exit: None, reason: None, ..NOTHING };
        assert_eq!(rules.first(oom, |_| 3), Some(1));
        assert_eq!(rules.first(oom, |_| 4), Some(0));
    }

    #[test]
    fn rules_beyond_the_first_mask_word_are_found() {
        let rules: Vec<Rule> = (0..200).map(|code| rule().exit_code(code)).collect();
        let rules = index(&rules);
        for code in [0, 63, 64, 127, 128, 199] {
            assert_eq!(exited(&rules, code), Some(code as u16));
        }
    }

    #[test]
    fn a_rule_can_match_the_replica_its_run_time_and_its_readiness() {
        let secs = std::time::Duration::from_secs;
        let rules = index(&[
            rule().replica(0).replicas(3..=5),
            rule().ran_under(secs(60)),
            rule().was_ready(true),
            rule().replicas(7..=u32::MAX),
        ]);
        let long = nanos(secs(60));
        let matched = |replica, ran, was_ready| rules.first(Failure { replica, ran, was_ready, ..NOTHING }, |_| 1);
        for (replica, first) in [(0, Some(0)), (1, None), (3, Some(0)), (5, Some(0)), (6, None), (u32::MAX, Some(3))] {
            assert_eq!(matched(replica, long, false), first, "{replica}");
        }
        assert_eq!(matched(1, long - 1, true), Some(1));
        assert_eq!(matched(1, long, true), Some(2));
    }

    #[test]
    fn run_time_and_readiness_of_an_earlier_failure_are_not_matched() {
        let rules =
            index(&[rule().was_ready(true), rule().ran_under(std::time::Duration::MAX), rule().replica(4), rule()]);
        let earlier = Failure { was_ready: true, ..NOTHING };
        assert_eq!(rules.first_for_earlier(earlier, None, |_| 1), Some(3));
        assert_eq!(rules.first_for_earlier(Failure { replica: 4, ..earlier }, None, |_| 1), Some(2));
        assert_eq!(rules.first_for_earlier(NOTHING, Some(0), |_| 1), Some(0));
    }
}
