//! Buffers events and requests that arrive before the first list of the backend.

use super::operator_request::PendingRequest;
use crate::engine::Event;

/// Events about instances that are kept; beyond that the oldest half is dropped.
const MAX_INSTANCE_EVENTS: usize = 65_536;

/// What is applied to the set after the first list: events in their order, then requests.
#[derive(Debug, Default)]
pub(super) struct EarlyInput {
    events: Vec<Event>,
    requests: Vec<PendingRequest>,
}

impl EarlyInput {
    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.events.len() + self.requests.len()
    }

    pub(super) fn push_events(&mut self, events: &mut Vec<Event>) {
        self.events.append(events);
        if self.events.len() > MAX_INSTANCE_EVENTS {
            self.drop_oldest();
        }
    }

    pub(super) fn push_request(&mut self, request: PendingRequest) {
        self.requests.push(request);
    }

    pub(super) fn take(&mut self) -> (Vec<Event>, Vec<PendingRequest>) {
        (std::mem::take(&mut self.events), std::mem::take(&mut self.requests))
    }

    /// Keeps the newest events about instances, since the awaited list supersedes the oldest, and every other event.
    fn drop_oldest(&mut self) {
        let mut kept = 0;
        self.events.reverse();
        self.events.retain(|event| {
            let about_instance = event.instance().is_some();
            kept += usize::from(about_instance);
            !about_instance || kept <= MAX_INSTANCE_EVENTS / 2
        });
        self.events.reverse();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_buffer_drops_the_oldest_events_about_instances_and_no_others() {
        let mut input = EarlyInput::default();
        let newest = MAX_INSTANCE_EVENTS as u64;
        input.push_events(&mut vec![Event::Terminate]);
        input.push_events(&mut (0..=newest).map(|incarnation| Event::ready((0, incarnation))).collect());
        let (events, _) = input.take();
        assert_eq!(events.len(), 1 + MAX_INSTANCE_EVENTS / 2);
        assert_eq!((&events[0], events.last()), (&Event::Terminate, Some(&Event::ready((0, newest)))));
    }
}
