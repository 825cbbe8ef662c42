//! Damaged snapshots: one field of a valid one is changed. It is refused, or the set goes on as if nothing had been.

use proptest::prelude::*;
use serde_json::Value;
use uphold::ReplicaSet;
use uphold::engine::{InstanceState, Observed, Snapshot};

use crate::policies;
use crate::world::{World, steps};

/// What becomes of one field.
#[derive(Clone, Debug)]
enum Damage {
    Null,
    Zero,
    Largest,
    Half,
    OneMore,
    /// A word that stands elsewhere in the same snapshot.
    AnotherWord(usize),
}

fn damages() -> impl Strategy<Value = Damage> {
    prop_oneof![
        2 => Just(Damage::Null),
        1 => Just(Damage::Zero),
        1 => Just(Damage::Largest),
        1 => Just(Damage::Half),
        2 => Just(Damage::OneMore),
        3 => any::<usize>().prop_map(Damage::AnotherWord),
    ]
}

/// Every field of the snapshot that is no list or table, as a path.
fn fields(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| fields(value, &format!("{path}/{key}"), found)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(place, value)| fields(value, &format!("{path}/{place}"), found));
        }
        // What is only counted for people decides nothing.
        _ if path.starts_with("/tally") => {}
        // Any text is a revision: a slot of another one waits for the next rollout.
        _ if path.starts_with("/slots/revisions") => {}
        _ => found.push(path.to_owned()),
    }
}

fn damage(snapshot: &mut Value, place: usize, damage: &Damage) -> String {
    let mut paths = Vec::new();
    fields(snapshot, "", &mut paths);
    let words: Vec<Value> =
        paths.iter().filter_map(|path| snapshot.pointer(path)).filter(|value| value.is_string()).cloned().collect();
    let path = paths.swap_remove(place % paths.len());
    let field = snapshot.pointer_mut(&path).unwrap();
    let number = field.as_u64();
    *field = match (damage, &*field) {
        (_, Value::Bool(value)) => Value::Bool(!value),
        (Damage::Null, _) => Value::Null,
        (Damage::AnotherWord(word), Value::String(_)) => words[word % words.len()].clone(),
        (Damage::Zero, _) => 0.into(),
        (Damage::Half, _) => (number.unwrap_or(0) / 2).into(),
        (Damage::OneMore, _) => number.unwrap_or(0).saturating_add(1).into(),
        (Damage::Largest | Damage::AnotherWord(_), _) => u64::MAX.into(),
    };
    path
}

/// From now on all that is commanded comes about, and lists are true: whether nothing but a person is waited for in the
/// end, however far away the times are that are waited for.
fn comes_to_rest(world: &mut World) -> bool {
    for _ in 0..400 {
        let alive: Vec<_> = world.set.replicas().filter(|view| view.phase.is_live()).collect();
        let listed = alive.iter().map(|view| Observed {
            replica: view.replica,
            incarnation: view.incarnation,
            state: InstanceState::Starting,
        });
        world.set.observe(world.now, &listed.collect::<Vec<_>>());
        world.drain();
        for _ in 0..world.set.desired() + 2 {
            world.obey();
        }
        if world.is_at_rest() {
            return true;
        }
        let Some(next) = world.set.next_deadline() else { return false };
        world.now = world.now.max(next.at);
        world.wake();
    }
    false
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn a_damaged_snapshot_is_refused_or_the_set_goes_on(
        policy in policies::any(),
        seed in any::<u64>(),
        steps in steps(40),
        place in any::<usize>(),
        how in damages(),
    ) {
        let mut world = World::new(policy.0, seed);
        steps.iter().for_each(|step| world.take(step));
        world.limit_starts(None);
        let policy = world.set.policy().clone();
        let mut text = serde_json::to_value(world.set.snapshot()).unwrap();
        let path = damage(&mut text, place, &how);
        let Ok(snapshot) = serde_json::from_value::<Snapshot>(text) else { return Ok(()) };
        let Ok(mut set) = ReplicaSet::restore(policy.clone(), snapshot, world.now) else { return Ok(()) };
        // What follows from another size is said at once.
        while set.poll_output().is_some() {}
        prop_assert_eq!(set.check_invariants(), Ok(()), "{} damaged by {:?}", path, how);
        let again = serde_json::from_value(serde_json::to_value(set.snapshot()).unwrap()).unwrap();
        prop_assert!(ReplicaSet::restore(policy, again, world.now).is_ok(), "{path} damaged by {how:?}");
        let mut world = World { set, ..World::new(world.set.policy().clone(), seed) };
        world.now = world.set.now();
        world.wake();
        prop_assert_eq!(world.set.check_invariants(), Ok(()), "{} damaged by {:?}", path, how);
        // The owner raises its cap in the end.
        world.limit_starts(None);
        let rests = comes_to_rest(&mut world);
        prop_assert!(
            rests,
            "{path} damaged by {how:?}: {}, {:?}, next {:?}",
            world.set.status(),
            world.set.replicas().collect::<Vec<_>>(),
            world.set.next_deadline(),
        );
    }
}
