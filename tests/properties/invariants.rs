//! The invariants themselves.

use uphold::engine::Role;
use uphold::{Phase, Status};

use crate::world::World;

pub(crate) fn check(world: &World) {
    assert_eq!(world.violations, [""; 0]);
    assert_eq!(world.set.check_invariants(), Ok(()));
    every_replica_is_accounted_for(world);
    the_census_counts_every_replica_once(world);
    starts_stay_within_their_cap(world);
    the_end_is_final(world);
}

/// None is forgotten: live, waiting for a known time or behind a named gate, quarantined, or done.
fn every_replica_is_accounted_for(world: &World) {
    let next = world.set.next_deadline();
    for view in world.set.replicas() {
        match view.phase {
            Phase::Waiting => {
                let gate = view.gate.unwrap_or_else(|| panic!("{view:?} waits for nothing"));
                let opens_by_itself = view.due.is_some() && next.is_some();
                let opens_by_event = matches!(gate, uphold::decide::Gate::Hold | uphold::decide::Gate::Owner | uphold::decide::Gate::Group)
                    // Then the one before it is accounted for, which is not ready.
                    || gate == uphold::decide::Gate::Order
                    || world.set.census().in_flight > 0
                    // A canary that the owner holds back holds the others back.
                    || world.limited.is_some()
                    || world.set.status() == Status::Terminating;
                assert!(opens_by_itself || opens_by_event, "{view:?} waits for ever, next {next:?}");
                // A group may wait for the end of a member that failed, from which its delay counts.
                if !matches!(gate, uphold::decide::Gate::Hold | uphold::decide::Gate::Group) {
                    assert!(view.due.is_some(), "{view:?} has no due time");
                }
            }
            Phase::Stopping | Phase::Starting => assert!(next.is_some(), "{view:?} has no deadline"),
            _ => {}
        }
    }
}

/// Status is a function of the replicas: each is counted in one place.
fn the_census_counts_every_replica_once(world: &World) {
    let census = world.set.census();
    assert_eq!(census.desired(), world.set.desired(), "{census:?}");
    let live = world.set.replicas().filter(|view| view.phase.is_live()).count();
    assert_eq!(census.live as usize, live, "{census:?}");
    let ready = world.set.replicas().filter(|view| view.phase == Phase::Ready).count();
    assert!(census.available as usize <= ready, "{census:?}");
    let in_flight = world.set.replicas().filter(|view| view.phase == Phase::Starting).count();
    assert!(census.in_flight as usize >= in_flight, "{census:?}");
    let unknown =
        world.set.replicas().filter(|view| view.phase == Phase::Unknown && view.role == Some(Role::Regular)).count();
    assert_eq!(census.unknown as usize, unknown);
}

fn starts_stay_within_their_cap(world: &World) {
    let census = world.set.census();
    if let Some(cap) = world.set.policy().max_concurrent_starts(world.set.desired()) {
        // A set that was scaled down may have more under way than it would admit now: then there are not more.
        assert!(census.starting <= cap.max(world.starting_before), "{census:?} over {cap}");
    }
}

/// Terminated and completed are final, and a terminated set has stopped every replica.
fn the_end_is_final(world: &World) {
    if world.set.status() == Status::Terminated {
        assert_eq!(world.set.census().live, 0);
        // Strays that show themselves after it are stopped, and killed.
        let strays = world.set.summary(world.now).strays;
        assert!(strays > 0 || world.set.next_deadline().is_none());
    }
    if let Some(ended) = world.ended {
        assert!(
            world.set.status() == ended || ended == Status::Terminating,
            "{:?} after {ended:?}",
            world.set.status()
        );
    }
}
