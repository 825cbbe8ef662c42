//! A queue that things are made in rather than moved into.

/// A queue that is filled at one time and emptied before the next, such as the outputs of one mutation.
///
/// To make a thing in the assignment to its place writes the few words that it has; to make it first and move it in
/// writes all that the largest of its kind has, twice, and waits in between (benches/README.md).
#[derive(Clone, Debug)]
pub(crate) struct Places<T> {
    /// Those from `first` to `end` wait; the others are `None`.
    places: Vec<Option<T>>,
    first: usize,
    end: usize,
    /// Its room is kept when it is empty.
    keeps_room: bool,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Vec::new(), first: 0, end: 0, keeps_room: false }
    }
}

impl<T> Places<T> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first == self.end
    }

    pub(crate) fn push(&mut self, thing: T) {
        *self.place() = Some(thing);
    }

    /// The place of the next.
    #[inline(always)]
    pub(crate) fn place(&mut self) -> &mut Option<T> {
        if self.end == self.places.len() {
            self.grow();
        }
        self.end += 1;
        &mut self.places[self.end - 1]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        if self.first == self.end {
            // Whoever drained them took no `None`.
            (self.first, self.end) = (0, 0);
        }
        if self.end == self.places.len() {
            self.places.push(None);
        }
    }

    /// The place that was taken last is not needed.
    pub(crate) fn leave(&mut self) {
        self.end -= 1;
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<T> {
        if self.first == self.end {
            self.begin_anew();
            return None;
        }
        self.first += 1;
        self.places[self.first - 1].take()
    }

    /// Nobody waits: what comes next comes first, and into the cache lines that were used last.
    #[inline]
    fn begin_anew(&mut self) {
        (self.first, self.end) = (0, 0);
        if !self.keeps_room {
            self.places = Vec::new();
        }
    }

    /// Those that wait, in order.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places[self.first..self.end].iter().flatten()
    }

    /// If but one waits, it is used and taken away.
    #[inline]
    pub(crate) fn use_only(&mut self, is_plain: impl Fn(&T) -> bool, take: impl FnOnce(&mut T)) -> bool {
        if self.end - self.first != 1 {
            return false;
        }
        let place = &mut self.places[self.first];
        if let Some(thing) = place {
            take(thing);
        }
        vacate(place, is_plain);
        self.begin_anew();
        true
    }

    /// Looks at all that wait, in order, and takes them away.
    #[inline]
    pub(crate) fn look_at_all(&mut self, is_plain: impl Fn(&T) -> bool, mut look: impl FnMut(&T)) {
        for place in &mut self.places[self.first..self.end] {
            if let Some(thing) = place {
                look(thing);
            }
            vacate(place, &is_plain);
        }
        self.begin_anew();
    }

    /// Whether its room is kept when it is empty.
    pub(crate) fn keep_room(&mut self, keep: bool) {
        self.keeps_room = keep;
    }
}

/// Empties a place. What is plain holds nothing that must be given back: that is quicker.
#[inline(always)]
fn vacate<T>(place: &mut Option<T>, is_plain: impl Fn(&T) -> bool) {
    match place {
        Some(thing) if is_plain(thing) => std::mem::forget(place.take()),
        _ => *place = None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Notice, Output, Refused};

    fn refused(replicas: u32) -> Output {
        Output::Notice(Notice::Refused(Refused::TooManyReplicas(replicas)))
    }

    fn dropped(key: &str) -> Output {
        Output::Notice(Notice::Dropped(vec![key.to_owned()]))
    }

    #[test]
    fn what_goes_in_comes_out_in_the_same_order_and_the_room_is_used_again() {
        let mut outputs = Places::default();
        outputs.keep_room(true);
        for round in 0..3 {
            let told = [refused(round), dropped("a"), refused(7), dropped("b"), refused(8)];
            told.iter().for_each(|output| outputs.push(output.clone()));
            assert!(!outputs.is_empty());
            for output in told {
                assert_eq!(outputs.pop(), Some(output));
            }
            assert!(outputs.is_empty());
            assert_eq!(outputs.pop(), None);
            assert_eq!(outputs.places.len(), 5);
        }
        for round in 0..100 {
            outputs.push(refused(round));
            assert_eq!(outputs.pop(), Some(refused(round)));
            outputs.push(refused(round));
            assert!(outputs.iter().eq([&refused(round)]));
            outputs.look_at_all(|output| matches!(output, Output::Notice(Notice::Refused(_))), |_| {});
            outputs.push(dropped("c"));
            outputs.look_at_all(|output| matches!(output, Output::Notice(Notice::Refused(_))), |_| {});
            assert!(outputs.is_empty());
        }
        assert!(outputs.places.iter().all(Option::is_none));
        assert_eq!(outputs.places.len(), 5, "polled for no more than there was");
        outputs.keep_room(false);
        assert_eq!(outputs.pop(), None);
        assert_eq!(outputs.places.capacity(), 0);
    }
}
