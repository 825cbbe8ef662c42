//! A queue that things are made in rather than moved into.

/// It begins with so many places: a failure has three outputs.
const FEW: usize = 4;

/// A queue that is filled at one time and emptied before the next, such as the outputs of one mutation.
///
/// To make a thing in the assignment to its place writes the few words that it has; to make it first and move it in
/// writes all that the largest of its kind has, twice, and waits in between (benches/README.md).
#[derive(Clone, Debug)]
pub(crate) struct Places<T> {
    /// Those from `first` to `end` wait; the others are `None`.
    places: Box<[Option<T>]>,
    first: u32,
    end: u32,
    /// Its room is kept when it is empty.
    keeps_room: bool,
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { places: Box::default(), first: 0, end: 0, keeps_room: false }
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
        if self.end as usize == self.places.len() {
            self.grow();
        }
        self.end += 1;
        &mut self.places[self.end as usize - 1]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        if self.first == self.end {
            // Whoever drained them took no `None`.
            (self.first, self.end) = (0, 0);
        }
        if self.end as usize == self.places.len() {
            let mut places = std::mem::take(&mut self.places).into_vec();
            places.resize_with((2 * places.len()).max(FEW), || None);
            self.places = places.into_boxed_slice();
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
        self.places[self.first as usize - 1].take()
    }

    /// Nobody waits: what comes next comes first, and into the cache lines that were used last.
    #[inline]
    fn begin_anew(&mut self) {
        (self.first, self.end) = (0, 0);
        if !self.keeps_room {
            self.places = Box::default();
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

    /// If but one waits, it is used and taken away.
    #[inline]
    pub(crate) fn use_only(&mut self, is_plain: impl Fn(&T) -> bool, take: impl FnOnce(&mut T)) -> bool {
        if self.end - self.first != 1 {
            return false;
        }
        let place = &mut self.places[self.first as usize];
        if let Some(thing) = place {
            take(thing);
        }
        vacate(place, is_plain);
        self.begin_anew();
        true
    }

    /// Looks at all that wait, in order, and takes them away. Those after one at which `look` panics wait on.
    #[inline]
    pub(crate) fn look_at_all(&mut self, is_plain: impl Fn(&T) -> bool, mut look: impl FnMut(&T)) {
        while self.first != self.end {
            let place = &mut self.places[self.first as usize];
            self.first += 1;
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

    /// A number is plain, a text is not.
    type Thing = Result<u32, String>;

    fn text(text: &str) -> Thing {
        Err(text.to_owned())
    }

    fn in_use() -> Places<Thing> {
        let mut things = Places::default();
        things.keep_room(true);
        things
    }

    #[test]
    fn what_goes_in_comes_out_in_the_same_order_and_the_room_is_used_again() {
        let mut things = in_use();
        for round in 0..3 {
            let told = [Ok(round), text("a"), Ok(7), text("b"), Ok(8)];
            told.iter().for_each(|thing| things.push(thing.clone()));
            assert!(!things.is_empty());
            for thing in told {
                assert_eq!(things.pop(), Some(thing));
            }
            assert!(things.is_empty());
            assert_eq!(things.pop(), None);
            assert_eq!(things.places.len(), 8);
        }
        for round in 0..100 {
            things.push(Ok(round));
            assert_eq!(things.pop(), Some(Ok(round)));
        }
        assert_eq!(things.places.len(), 8, "polled for no more than there was");
        things.keep_room(false);
        assert_eq!(things.pop(), None);
        assert!(things.places.is_empty());
    }

    #[test]
    fn what_is_looked_at_is_gone_and_what_comes_next_takes_the_same_places() {
        let mut things = in_use();
        for round in 0..100 {
            things.push(Ok(round));
            things.push(text("c"));
            assert!(things.iter().eq([&Ok(round), &text("c")]));
            let mut seen = Vec::new();
            things.look_at_all(Result::is_ok, |thing| seen.push(thing.clone()));
            assert_eq!(seen, [Ok(round), text("c")]);
            assert!(things.is_empty() && things.places.iter().all(Option::is_none));
        }
        assert_eq!(things.places.len(), FEW);
        things.keep_room(false);
        things.look_at_all(Result::is_ok, |_| unreachable!("nobody waits"));
        assert!(things.places.is_empty());
    }

    #[test]
    fn all_that_wait_are_put_in_order() {
        let mut things = in_use();
        for number in [9, 5, 8, 1, 2] {
            things.push(Ok(number));
        }
        assert_eq!(things.pop(), Some(Ok(9)));
        things.sort_by_key(|thing| thing.as_ref().map_or(0, |number| number / 4));
        assert!(things.iter().eq([&Ok(1), &Ok(2), &Ok(5), &Ok(8)]), "{things:?}");
    }

    #[test]
    fn those_after_one_that_is_too_much_wait_on() {
        let mut things = in_use();
        [Ok(1), text("e"), text("f"), Ok(2)].into_iter().for_each(|thing| things.push(thing));
        let too_much =
            std::panic::AssertUnwindSafe(|| things.look_at_all(Result::is_ok, |thing| assert!(thing.is_ok())));
        assert!(std::panic::catch_unwind(too_much).is_err());
        assert_eq!((things.pop(), things.pop(), things.pop()), (Some(text("f")), Some(Ok(2)), None));
        assert!(things.places.iter().all(|place| place.is_none() || *place == Some(text("e"))));
    }

    #[test]
    fn one_that_is_alone_is_used_where_it_lies() {
        let mut things = in_use();
        assert!(!things.use_only(Result::is_ok, |_| unreachable!("nobody waits")));
        for thing in [Ok(1), text("d")] {
            things.push(thing.clone());
            let mut used = None;
            assert!(things.use_only(Result::is_ok, |thing| used = Some(thing.clone())));
            assert_eq!((used, things.pop()), (Some(thing), None));
        }
        things.push(Ok(1));
        things.push(Ok(2));
        assert!(!things.use_only(Result::is_ok, |_| unreachable!("two wait")));
        assert_eq!((things.pop(), things.pop(), things.pop()), (Some(Ok(1)), Some(Ok(2)), None));
    }
}
