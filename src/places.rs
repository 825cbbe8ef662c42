//! A queue whose items are constructed in place, because moving a large enum copies all of it.

/// A queue that is filled at one time and emptied before the next, such as the outputs of one mutation.
///
/// Constructing in the slot writes only that variant's fields. Constructing and then moving copies the whole enum twice and
/// defeats store forwarding (benches/README.md).
#[derive(Clone, Debug)]
pub(crate) struct Places<T> {
    /// Those from `first` to `end` wait. The others are `None`, but for one at which whoever looked at it panicked.
    places: Vec<Option<T>>,
    first: u32,
    end: u32,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Vec::new(), first: 0, end: 0 }
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
        let place = self.end as usize;
        if place >= self.places.len() {
            return self.place_of_more();
        }
        self.end += 1;
        &mut self.places[place]
    }

    #[cold]
    #[inline(never)]
    fn place_of_more(&mut self) -> &mut Option<T> {
        if self.first == self.end {
            // Whoever drained them took no `None`.
            (self.first, self.end) = (0, 0);
        }
        if self.end as usize == self.places.len() {
            self.places.push(None);
        }
        self.end += 1;
        &mut self.places[self.end as usize - 1]
    }

    /// The place that was taken last is not needed.
    pub(crate) fn leave(&mut self) {
        self.end -= 1;
    }

    /// The next, or `None`: then its room is kept or given back.
    #[inline]
    pub(crate) fn pop(&mut self, keeps_room: bool) -> Option<T> {
        if self.first == self.end {
            self.begin_anew(keeps_room);
            return None;
        }
        self.first += 1;
        self.places[self.first as usize - 1].take()
    }

    /// Nobody waits: what comes next comes first, and into the cache lines that were used last.
    #[inline]
    fn begin_anew(&mut self, keeps_room: bool) {
        (self.first, self.end) = (0, 0);
        if !keeps_room {
            self.places = Vec::new();
        }
    }

    #[inline(always)]
    fn waiting(&mut self) -> &mut [Option<T>] {
        &mut self.places[self.first as usize..self.end as usize]
    }

    /// Puts all that wait into the order of `key`. Equals stay as they are.
    #[inline(never)]
    pub(crate) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.waiting().sort_by_key(|place| place.as_ref().map(&key));
    }

    /// Those that wait, in order.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places[self.first as usize..self.end as usize].iter().flatten()
    }

    /// If but one waits, it is used and taken away; the room is kept.
    #[inline]
    pub(crate) fn use_only(&mut self, is_plain: impl Fn(&T) -> bool, take: impl FnOnce(&mut T)) -> bool {
        if self.end - self.first != 1 {
            return false;
        }
        let place = &mut self.places[self.first as usize];
        if let Some(thing) = place {
            take(thing);
            let plain = is_plain(thing);
            vacate(place, plain);
        }
        self.begin_anew(true);
        true
    }

    /// Looks at all that wait, in order, and takes them away; then the room is kept or given back. Those after one at
    /// which `look` panics wait on.
    #[inline(always)]
    pub(crate) fn look_at_all(&mut self, keeps_room: bool, is_plain: impl Fn(&T) -> bool, mut look: impl FnMut(&T)) {
        let Self { places, first, end } = self;
        for place in &mut places[*first as usize..*end as usize] {
            *first += 1;
            if let Some(thing) = place {
                let plain = is_plain(thing);
                look(thing);
                vacate(place, plain);
            }
        }
        self.begin_anew(keeps_room);
    }
}

/// Empties a place. What is plain holds nothing that must be given back: that is quicker.
#[inline(always)]
fn vacate<T>(place: &mut Option<T>, plain: bool) {
    if plain {
        std::mem::forget(place.take());
    } else {
        *place = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A number is plain, a text is not.
    type Thing = Result<u32, String>;

    fn text(text: &str) -> Thing {
        Err(text.to_owned())
    }

    #[test]
    fn what_goes_in_comes_out_in_the_same_order_and_the_room_is_used_again() {
        let mut things = Places::<Thing>::default();
        for round in 0..3 {
            let told = [Ok(round), text("a"), Ok(7), text("b"), Ok(8)];
            told.iter().for_each(|thing| things.push(thing.clone()));
            assert!(!things.is_empty());
            for thing in told {
                assert_eq!(things.pop(true), Some(thing));
            }
            assert!(things.is_empty());
            assert_eq!(things.pop(true), None);
            assert_eq!(things.places.len(), 5);
        }
        for round in 0..100 {
            things.push(Ok(round));
            assert_eq!(things.pop(true), Some(Ok(round)));
        }
        assert_eq!(things.places.len(), 5, "polled for no more than there was");
        assert_eq!(things.pop(false), None);
        assert_eq!(things.places.capacity(), 0);
    }

    #[test]
    fn what_is_looked_at_is_gone_and_what_comes_next_takes_the_same_places() {
        let mut things = Places::<Thing>::default();
        for round in 0..100 {
            things.push(Ok(round));
            things.push(text("c"));
            assert!(things.iter().eq([&Ok(round), &text("c")]));
            let mut seen = Vec::new();
            things.look_at_all(true, Result::is_ok, |thing| seen.push(thing.clone()));
            assert_eq!(seen, [Ok(round), text("c")]);
            assert!(things.is_empty() && things.places.iter().all(Option::is_none));
        }
        assert_eq!(things.places.len(), 2);
        things.look_at_all(false, Result::is_ok, |_| unreachable!("nobody waits"));
        assert_eq!(things.places.capacity(), 0);
    }

    #[test]
    fn all_that_wait_are_put_in_order() {
        let mut things = Places::<Thing>::default();
        for number in [9, 5, 8, 1, 2] {
            things.push(Ok(number));
        }
        assert_eq!(things.pop(true), Some(Ok(9)));
        things.sort_by_key(|thing| thing.as_ref().map_or(0, |number| number / 4));
        assert!(things.iter().eq([&Ok(1), &Ok(2), &Ok(5), &Ok(8)]), "{things:?}");
    }

    #[test]
    fn those_after_one_that_is_too_much_wait_on() {
        let mut things = Places::<Thing>::default();
        [Ok(1), text("e"), text("f"), Ok(2)].into_iter().for_each(|thing| things.push(thing));
        let too_much =
            std::panic::AssertUnwindSafe(|| things.look_at_all(true, Result::is_ok, |thing| assert!(thing.is_ok())));
        assert!(std::panic::catch_unwind(too_much).is_err());
        assert_eq!((things.pop(true), things.pop(true), things.pop(true)), (Some(text("f")), Some(Ok(2)), None));
        assert!(things.places.iter().all(|place| place.is_none() || *place == Some(text("e"))));
    }

    #[test]
    fn one_that_is_alone_is_used_where_it_lies() {
        let mut things = Places::<Thing>::default();
        assert!(!things.use_only(Result::is_ok, |_| unreachable!("nobody waits")));
        for thing in [Ok(1), text("d")] {
            things.push(thing.clone());
            let mut used = None;
            assert!(things.use_only(Result::is_ok, |thing| used = Some(thing.clone())));
            assert_eq!((used, things.pop(true)), (Some(thing), None));
        }
        things.push(Ok(1));
        things.push(Ok(2));
        assert!(!things.use_only(Result::is_ok, |_| unreachable!("two wait")));
        assert_eq!((things.pop(true), things.pop(true), things.pop(true)), (Some(Ok(1)), Some(Ok(2)), None));
    }
}
