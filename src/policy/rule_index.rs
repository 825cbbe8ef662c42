//! Rules, compiled so that finding the first match costs the same for one rule as for a hundred.
//!
//! Each value that a condition can name (an exit code, a signal, a cause) has a bit mask of the rules that
//! it satisfies; the masks of one failure are and-ed, and the first bit is the answer. Only what depends
//! on more than the kind of failure (reason texts, the attempt number) is asked rule by rule.

use super::cause::Cause;
use super::exit::Exit;
use super::failure::{Rule, RuleAction};

/// The compiled rules of a policy.
#[derive(Debug, Default)]
pub(crate) struct RuleIndex {
    rules: Box<[CompiledRule]>,
    /// How many 64-bit words one mask has.
    words: usize,
    /// Rules without a condition on how the process ended.
    any_exit: Box<[u64]>,
    /// The first exit code of each range in which the same rules match, ascending.
    code_starts: Box<[i32]>,
    /// For each exit code that a process can have, in which of these ranges it lies.
    code_ranges: Box<[u32]>,
    /// One mask for each entry of `code_starts`.
    code_masks: Box<[u64]>,
    /// One mask for each signal number from 0.
    signal_masks: Box<[u64]>,
    /// One mask for each built-in cause, in the order of `Cause::BUILT_IN`, then one for names no rule names.
    cause_masks: Box<[u64]>,
    /// The user's own causes that rules name, with their masks.
    named: Box<[(Cause, Box<[u64]>)]>,
    /// Rules that name a cause.
    names_cause: Box<[u64]>,
}

#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// What its state is kept under: its name, or its index where it has none.
    key: String,
    /// What decisions show of it.
    pub(crate) shown: std::sync::Arc<MatchedRule>,
    pub(crate) then: RuleAction,
    pub(crate) charge: bool,
    /// Its place among the ladders of the policy; 0 is the policy's own `retry`.
    pub(crate) ladder: u16,
    pub(crate) attempts_over: Option<u32>,
    reasons: Box<[String]>,
}

/// The rule that matched a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MatchedRule {
    /// Its place in the list, from 0.
    pub index: u16,
    /// Its name, where it has one.
    pub name: Option<std::sync::Arc<str>>,
}

impl std::fmt::Display for MatchedRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.index),
        }
    }
}

/// What is known of one failure.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) cause: &'a Cause,
    pub(crate) exit: Option<Exit>,
    pub(crate) reason: Option<&'a str>,
}

impl RuleIndex {
    /// `ladders[i]` is the ladder of rule i.
    pub(crate) fn new(rules: &[Rule], ladders: &[u16]) -> Self {
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

        Self {
            words,
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
                .zip(ladders)
                .enumerate()
                .map(|(index, (rule, &ladder))| CompiledRule {
                    key: rule.name.clone().unwrap_or_else(|| index.to_string()),
                    shown: std::sync::Arc::new(MatchedRule {
                        index: index as u16,
                        name: rule.name.as_deref().map(Into::into),
                    }),
                    then: rule.then,
                    charge: rule.charge,
                    ladder,
                    attempts_over: rule.attempts_over,
                    reasons: rule.reasons.clone().into(),
                })
                .collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// What the state of each rule is kept under.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().map(|rule| rule.key.as_str())
    }

    pub(crate) fn rule(&self, index: u16) -> Option<&CompiledRule> {
        self.rules.get(usize::from(index))
    }

    /// The first rule that matches. `attempt` gives the attempt number in the streak of a ladder.
    pub(crate) fn first(&self, failure: Failure<'_>, attempt: impl Fn(u16) -> u32) -> Option<u16> {
        self.search(failure, false, |_, rule| rule.says_of(failure.reason), attempt)
    }

    /// The first rule that matches and names this cause itself.
    pub(crate) fn first_naming(&self, failure: Failure<'_>, attempt: impl Fn(u16) -> u32) -> Option<u16> {
        self.search(failure, true, |_, rule| rule.says_of(failure.reason), attempt)
    }

    /// The rule of an earlier failure, judged again with today's attempt number. Its reason text is gone: of
    /// the rules that ask for one, only the rule that judged it then (`judged_by`) is known to match.
    pub(crate) fn first_again(
        &self,
        earlier: Failure<'_>,
        judged_by: Option<u16>,
        attempt: impl Fn(u16) -> u32,
    ) -> Option<u16> {
        self.search(earlier, false, |index, rule| rule.reasons.is_empty() || judged_by == Some(index), attempt)
    }

    fn search(
        &self,
        failure: Failure<'_>,
        naming: bool,
        reason: impl Fn(u16, &CompiledRule) -> bool,
        attempt: impl Fn(u16) -> u32,
    ) -> Option<u16> {
        if self.rules.is_empty() {
            return None;
        }
        let exits = match failure.exit {
            None => &self.any_exit[..],
            Some(Exit::Code(code)) => {
                // What a process can exit with is looked up; no other code is common.
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
            if naming {
                bits &= self.names_cause[word];
            }
            while bits != 0 {
                let index = (word * 64) as u16 + bits.trailing_zeros() as u16;
                let rule = &self.rules[usize::from(index)];
                if reason(index, rule) && rule.attempts_over.is_none_or(|over| attempt(rule.ladder) > over) {
                    return Some(index);
                }
                bits &= bits - 1;
            }
        }
        None
    }

    fn cause_mask(&self, cause: &Cause) -> &[u64] {
        if let Cause::Named(_) = cause {
            if let Ok(found) = self.named.binary_search_by(|(name, _)| name.cmp(cause)) {
                return &self.named[found].1;
            }
        }
        let index = cause.place();
        &self.cause_masks[index * self.words..][..self.words]
    }
}

/// In which of the ranges that begin so an exit code lies.
fn range_of(starts: &[i32], code: i32) -> usize {
    starts.partition_point(|&start| start <= code) - 1
}

impl CompiledRule {
    fn says_of(&self, reason: Option<&str>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|text| self.reasons.iter().any(|glob| glob_matches(glob, text)))
    }
}

/// Whether `text` matches `glob`, in which `*` stands for any run of characters. Linear in the text for each star.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    let (glob, text) = (glob.as_bytes(), text.as_bytes());
    let (mut g, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if g < glob.len() && glob[g] == b'*' {
            star = Some((g, t));
            g += 1;
        } else if g < glob.len() && glob[g] == text[t] {
            g += 1;
            t += 1;
        } else if let Some((at, taken)) = star {
            star = Some((at, taken + 1));
            g = at + 1;
            t = taken + 1;
        } else {
            return false;
        }
    }
    glob[g..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::exit::Signal;

    fn index(rules: &[Rule]) -> RuleIndex {
        RuleIndex::new(rules, &vec![0; rules.len()])
    }

    fn exited(index: &RuleIndex, code: i32) -> Option<u16> {
        index.first(Failure { cause: &Cause::Error, exit: Some(Exit::Code(code)), reason: None }, |_| 1)
    }

    fn caused(index: &RuleIndex, cause: &Cause) -> Option<u16> {
        index.first(Failure { cause, exit: None, reason: None }, |_| 1)
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
    fn ranges_reach_the_ends_of_what_an_exit_code_can_be() {
        let rules = index(&[rule().exit_codes(i32::MIN..=-1), rule().exit_codes(200..=i32::MAX)]);
        assert_eq!(exited(&rules, i32::MIN), Some(0));
        assert_eq!(exited(&rules, i32::MAX), Some(1));
        assert_eq!(exited(&rules, 199), None);
    }

    #[test]
    fn all_conditions_of_a_rule_must_hold() {
        let rules = index(&[rule().exit_code(2).cause(Cause::OutOfMemory), rule().signal(Signal::KILL)]);
        assert_eq!(exited(&rules, 2), None);
        let oom = Failure { cause: &Cause::OutOfMemory, exit: Some(Exit::Code(2)), reason: None };
        assert_eq!(rules.first(oom, |_| 1), Some(0));
        let killed = Failure { cause: &Cause::Error, exit: Some(Exit::Signal(Signal::KILL)), reason: None };
        assert_eq!(rules.first(killed, |_| 1), Some(1));
    }

    #[test]
    fn causes_of_the_users_own_match_by_name() {
        let gpu: Cause = "gpu-fell-off".parse().unwrap();
        let rules = index(&[rule().cause(gpu.clone()), rule().cause(Cause::NodeLost)]);
        assert_eq!(caused(&rules, &gpu), Some(0));
        assert_eq!(caused(&rules, &"other".parse().unwrap()), None);
        assert_eq!(caused(&rules, &Cause::NodeLost), Some(1));
    }

    #[test]
    fn a_rule_for_many_attempts_waits_for_them() {
        let rules = index(&[rule().cause(Cause::OutOfMemory).attempts_over(3), rule()]);
        let oom = Failure { cause: &Cause::OutOfMemory, exit: None, reason: None };
        assert_eq!(rules.first(oom, |_| 3), Some(1));
        assert_eq!(rules.first(oom, |_| 4), Some(0));
    }

    #[test]
    fn more_than_a_word_of_rules_are_all_found() {
        let rules: Vec<Rule> = (0..200).map(|code| rule().exit_code(code)).collect();
        let rules = index(&rules);
        for code in [0, 63, 64, 127, 128, 199] {
            assert_eq!(exited(&rules, code), Some(code as u16));
        }
    }

    #[test]
    fn a_reason_matches_by_glob() {
        assert!(glob_matches("quota*", "quota exceeded in zone b"));
        assert!(!glob_matches("quota*", "no quota"));
        assert!(glob_matches("*quota*", "no quota left"));
        assert!(glob_matches("a*b*c", "a-b-b-c"));
        assert!(!glob_matches("a*b*c", "a-c-b"));
        assert!(glob_matches("*", ""));
        assert!(glob_matches("exact", "exact"));
        assert!(!glob_matches("exact", "exactly"));
    }
}
