//! The state of the nodes during a run: where replicas are placed, and which nodes are down.

use super::nodes::{Nodes, StartOnFailedNode};
use super::random::RandomStream;

/// The nodes of one simulated set.
#[derive(Debug)]
pub(super) struct Cluster<'m> {
    pub(super) nodes: &'m Nodes,
    stream: RandomStream,
    /// The node of each replica that has been started; a replica beyond the end is on its initial node.
    assigned: Vec<u32>,
    states: Vec<NodeState>,
    /// Instances lost with a node that failed silently.
    silent_losses: Vec<SilentLoss>,
}

#[derive(Clone, Copy, Debug, Default)]
struct NodeState {
    /// The number of reasons for which the node is down: its own failure, that of its zone.
    down_count: u32,
    /// The end of the longest of them, in nanoseconds.
    down_until: u64,
}

#[derive(Clone, Copy, Debug)]
struct SilentLoss {
    node: u32,
    replica: u32,
    incarnation: u64,
}

/// The node chosen for a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NodeAssignment {
    pub(super) node: u32,
    /// Until when the node is down, in nanoseconds; `None`: it is up.
    pub(super) down_until: Option<u64>,
}

impl<'m> Cluster<'m> {
    pub(super) fn new(nodes: &'m Nodes, stream: RandomStream) -> Self {
        let states = vec![NodeState::default(); nodes.count as usize];
        Self { nodes, stream, assigned: Vec::new(), states, silent_losses: Vec::new() }
    }

    pub(super) fn node_of(&self, replica: u32) -> u32 {
        self.assigned.get(replica as usize).copied().unwrap_or(replica % self.nodes.count)
    }

    fn is_down(&self, node: u32) -> bool {
        self.states[node as usize].down_count > 0
    }

    /// Chooses the node for a start: the current one, or another that is up if there is one. `tied_to`: the slot that an
    /// extra one is there for; a start elsewhere avoids its node too.
    pub(super) fn assign(
        &mut self,
        replica: u32,
        start_index: u64,
        elsewhere: bool,
        tied_to: Option<u32>,
    ) -> NodeAssignment {
        let current = self.node_of(replica);
        let moves = elsewhere || (self.nodes.starts == StartOnFailedNode::Move && self.is_down(current));
        let avoided = tied_to.map(|regular| self.node_of(regular));
        let node = if moves { self.other_node(current, avoided, replica, start_index) } else { current };
        while self.assigned.len() <= replica as usize {
            self.assigned.push(self.assigned.len() as u32 % self.nodes.count);
        }
        self.assigned[replica as usize] = node;
        let NodeState { down_count, down_until } = self.states[node as usize];
        NodeAssignment { node, down_until: (down_count > 0).then_some(down_until) }
    }

    /// Forgets where a replica ran: its slot is gone, and a later slot of its number starts on the initial node.
    pub(super) fn release(&mut self, replica: u32) {
        if let Some(node) = self.assigned.get_mut(replica as usize) {
            *node = replica % self.nodes.count;
        }
    }

    /// Returns a random node that is up, other than `node` and, if possible, than `avoided`; `node` if there is none. Of a
    /// tied slot, leaving the node of its regular slot matters more than leaving its own.
    fn other_node(&self, node: u32, avoided: Option<u32>, replica: u32, start_index: u64) -> u32 {
        let stream = self.stream.substream(replica.into()).substream(start_index);
        let random = |excluded: [Option<u32>; 2]| {
            let candidates =
                || (0..self.nodes.count).filter(|&other| !excluded.contains(&Some(other)) && !self.is_down(other));
            let chosen = stream.below(candidates().count() as u64);
            candidates().nth(chosen as usize)
        };
        let both = random([Some(node), avoided]);
        let either = || avoided.and_then(|_| random([avoided; 2]).or_else(|| random([Some(node); 2])));
        both.or_else(either).unwrap_or(node)
    }

    /// Marks nodes as down until `until`. Returns those that were up, in order.
    pub(super) fn mark_down(&mut self, nodes: impl Iterator<Item = u32>, until: u64) -> Vec<u32> {
        let mut newly_down = Vec::new();
        for node in nodes {
            let state = &mut self.states[node as usize];
            if state.down_count == 0 {
                newly_down.push(node);
                state.down_until = until;
            }
            state.down_count += 1;
            state.down_until = state.down_until.max(until);
        }
        newly_down
    }

    /// Records that an instance was lost with its node without a report.
    pub(super) fn record_silent_loss(&mut self, replica: u32, incarnation: u64) {
        self.silent_losses.push(SilentLoss { node: self.node_of(replica), replica, incarnation });
    }

    /// Removes one reason for which nodes are down. Returns replica and incarnation of the silent losses on nodes that
    /// are now up.
    pub(super) fn mark_up(&mut self, nodes: impl Iterator<Item = u32>) -> Vec<(u32, u64)> {
        for node in nodes {
            let state = &mut self.states[node as usize];
            state.down_count = state.down_count.saturating_sub(1);
        }
        let states = &self.states;
        let is_up = |node: u32| states[node as usize].down_count == 0;
        let found = self.silent_losses.extract_if(.., |loss| is_up(loss.node));
        found.map(|loss| (loss.replica, loss.incarnation)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::StreamId;
    use super::*;

    fn stream() -> RandomStream {
        RandomStream::new(7, StreamId::Placement, 0)
    }

    #[test]
    fn replicas_are_assigned_round_robin_and_stay_until_started_elsewhere() {
        let nodes = Nodes::new(3);
        let mut cluster = Cluster::new(&nodes, stream());
        assert_eq!(cluster.assign(4, 0, false, None), NodeAssignment { node: 1, down_until: None });
        let moved = cluster.assign(4, 1, true, None).node;
        assert_ne!(moved, 1);
        assert_eq!(cluster.assign(4, 2, false, None).node, moved);
    }

    #[test]
    fn no_replica_moves_to_a_node_that_is_down() {
        let nodes = Nodes::new(3);
        let mut cluster = Cluster::new(&nodes, stream());
        assert_eq!(cluster.mark_down([2].into_iter(), 50), [2]);
        for start_index in 0..20 {
            assert_ne!(cluster.assign(0, start_index, true, None).node, 2);
        }
        cluster.mark_down([0, 1].into_iter(), 50);
        let current = cluster.node_of(0);
        assert_eq!(cluster.assign(0, 20, true, None), NodeAssignment { node: current, down_until: Some(50) });
    }

    #[test]
    fn a_node_that_is_down_for_two_reasons_is_up_when_both_have_ended() {
        let nodes = Nodes::new(2);
        let mut cluster = Cluster::new(&nodes, stream());
        assert_eq!(cluster.mark_down([0].into_iter(), 50), [0]);
        cluster.record_silent_loss(0, 1);
        assert!(cluster.mark_down([0, 1].into_iter(), 80).contains(&1));
        assert_eq!(cluster.assign(0, 0, false, None).down_until, Some(80));
        assert!(cluster.mark_up([0].into_iter()).is_empty());
        assert_eq!(cluster.mark_up([0, 1].into_iter()), [(0, 1)]);
        assert_eq!(cluster.assign(0, 1, false, None).down_until, None);
    }

    #[test]
    fn an_extra_slot_started_elsewhere_avoids_the_node_of_its_regular_slot() {
        let nodes = Nodes::new(3);
        let mut cluster = Cluster::new(&nodes, stream());
        for start_index in 0..20 {
            // Slot 4 has no node of its own yet but the initial one, 1.
            assert_eq!(cluster.assign(4, start_index, true, Some(2)).node, 0);
            cluster.release(4);
        }
        assert_eq!(cluster.node_of(4), 1);
        // With the rest down, its own node is better than that of its regular slot.
        cluster.mark_down([0].into_iter(), 50);
        assert_eq!(cluster.assign(4, 20, true, Some(2)), NodeAssignment { node: 1, down_until: None });
        cluster.mark_down([1].into_iter(), 50);
        assert_eq!(cluster.assign(4, 21, true, Some(2)), NodeAssignment { node: 2, down_until: None });
    }
}
