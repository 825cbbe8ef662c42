//! Where replicas are, and which nodes are down.

use super::draw::Draws;
use super::model::{Nodes, OnFailedNode};

/// The nodes of one set at work.
#[derive(Debug)]
pub(super) struct Placing<'m> {
    pub(super) nodes: &'m Nodes,
    draws: Draws,
    /// The node of each replica that has been placed; the others are where they begin.
    of: Vec<u32>,
    states: Vec<State>,
    /// What was on nodes that failed in silence: node, replica, incarnation.
    silenced: Vec<(u32, u32, u64)>,
}

/// How a node is.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// It is down for so many reasons: by itself, with its zone.
    down: u32,
    until: u64,
}

/// Where a start goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Placed {
    pub(super) node: u32,
    /// The node is down until then.
    pub(super) down_until: Option<u64>,
}

impl<'m> Placing<'m> {
    pub(super) fn new(nodes: &'m Nodes, draws: Draws) -> Self {
        let states = vec![State::default(); nodes.count as usize];
        Self { nodes, draws, of: Vec::new(), states, silenced: Vec::new() }
    }

    pub(super) fn node_of(&self, replica: u32) -> u32 {
        self.of.get(replica as usize).copied().unwrap_or(replica % self.nodes.count)
    }

    fn is_down(&self, node: u32) -> bool {
        self.states[node as usize].down > 0
    }

    /// Places a start: in place, or on another node that is up, if there is one.
    pub(super) fn place(&mut self, replica: u32, occurrence: u64, elsewhere: bool) -> Placed {
        let node = self.node_of(replica);
        let moves = elsewhere || (self.nodes.starts == OnFailedNode::Move && self.is_down(node));
        let node = if moves { self.another(node, replica, occurrence) } else { node };
        while self.of.len() <= replica as usize {
            self.of.push(self.of.len() as u32 % self.nodes.count);
        }
        self.of[replica as usize] = node;
        let State { down, until } = self.states[node as usize];
        Placed { node, down_until: (down > 0).then_some(until) }
    }

    fn another(&self, node: u32, replica: u32, occurrence: u64) -> u32 {
        let others = || (0..self.nodes.count).filter(|&other| other != node && !self.is_down(other));
        let chosen = self.draws.of(replica.into()).of(occurrence).below(others().count() as u64);
        others().nth(chosen as usize).unwrap_or(node)
    }

    /// Nodes go down until `to`; those that were up, in order.
    pub(super) fn down(&mut self, nodes: impl Iterator<Item = u32>, to: u64) -> Vec<u32> {
        let mut newly = Vec::new();
        for node in nodes {
            let state = &mut self.states[node as usize];
            if state.down == 0 {
                newly.push(node);
                state.until = to;
            }
            state.down += 1;
            state.until = state.until.max(to);
        }
        newly
    }

    /// A replica's instance is gone with its node, and nobody is told.
    pub(super) fn silenced(&mut self, replica: u32, incarnation: u64) {
        self.silenced.push((self.node_of(replica), replica, incarnation));
    }

    /// One reason for nodes to be down is over: what was silenced on those that are up now.
    pub(super) fn up(&mut self, nodes: impl Iterator<Item = u32>) -> Vec<(u32, u64)> {
        for node in nodes {
            let state = &mut self.states[node as usize];
            state.down = state.down.saturating_sub(1);
        }
        let states = &self.states;
        let is_up = |node: u32| states[node as usize].down == 0;
        self.silenced
            .extract_if(.., |(node, ..)| is_up(*node))
            .map(|(_, replica, incarnation)| (replica, incarnation))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::Kind;
    use super::*;

    fn draws() -> Draws {
        Draws::new(7, Kind::Placement, 0)
    }

    #[test]
    fn replicas_begin_in_turn_and_stay_until_told_to_go_elsewhere() {
        let nodes = Nodes::new(3);
        let mut placing = Placing::new(&nodes, draws());
        assert_eq!(placing.place(4, 0, false), Placed { node: 1, down_until: None });
        let moved = placing.place(4, 1, true).node;
        assert_ne!(moved, 1);
        assert_eq!(placing.place(4, 2, false).node, moved);
    }

    #[test]
    fn nobody_is_moved_to_a_node_that_is_down() {
        let nodes = Nodes::new(3);
        let mut placing = Placing::new(&nodes, draws());
        assert_eq!(placing.down([2].into_iter(), 50), [2]);
        for occurrence in 0..20 {
            assert_ne!(placing.place(0, occurrence, true).node, 2);
        }
        placing.down([0, 1].into_iter(), 50);
        let stays = placing.node_of(0);
        assert_eq!(placing.place(0, 20, true), Placed { node: stays, down_until: Some(50) });
    }

    #[test]
    fn a_node_that_is_down_twice_is_up_when_both_are_over() {
        let nodes = Nodes::new(2);
        let mut placing = Placing::new(&nodes, draws());
        assert_eq!(placing.down([0].into_iter(), 50), [0]);
        placing.silenced(0, 1);
        assert!(placing.down([0, 1].into_iter(), 80).contains(&1));
        assert_eq!(placing.place(0, 0, false).down_until, Some(80));
        assert!(placing.up([0].into_iter()).is_empty());
        assert_eq!(placing.up([0, 1].into_iter()), [(0, 1)]);
        assert_eq!(placing.place(0, 1, false).down_until, None);
    }
}
