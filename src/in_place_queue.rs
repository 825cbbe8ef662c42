//! A queue whose items are constructed in its entries, because moving a large enum copies all of it.

/// A FIFO queue that is filled and then emptied before it is filled again, such as the outputs of one mutation.
///
/// An item is constructed in its entry, which writes only the fields of that variant. A failure until its outputs are
/// drained takes 40 to 43 ns with it, and 51 to 71 ns with a `VecDeque` (benches/README.md).
#[derive(Clone, Debug)]
pub(crate) struct InPlaceQueue<T> {
    /// Those from `first` to `end` are queued. The others are `None`, unless the closure that read one panicked.
    entries: Vec<Option<T>>,
    first: u32,
    end: u32,
}

impl<T> Default for InPlaceQueue<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), first: 0, end: 0 }
    }
}

impl<T> InPlaceQueue<T> {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first == self.end
    }

    pub(crate) fn push(&mut self, item: T) {
        *self.push_empty() = Some(item);
    }

    /// Appends an empty entry and returns it, for the caller to fill.
    #[inline]
    pub(crate) fn push_empty(&mut self) -> &mut Option<T> {
        let entry = self.end as usize;
        if entry >= self.entries.len() {
            return self.push_empty_slow();
        }
        self.end += 1;
        &mut self.entries[entry]
    }

    #[cold]
    #[inline(never)]
    fn push_empty_slow(&mut self) -> &mut Option<T> {
        if self.first == self.end {
            // The caller emptied the queue but did not call `pop` once more.
            (self.first, self.end) = (0, 0);
        }
        if self.end as usize == self.entries.len() {
            self.entries.push(None);
        }
        self.end += 1;
        &mut self.entries[self.end as usize - 1]
    }

    /// Removes the entry that was pushed last and is still empty.
    pub(crate) fn remove_empty(&mut self) {
        self.end -= 1;
    }

    /// Removes the first item. On `None`, the capacity is kept or freed.
    #[inline]
    pub(crate) fn pop(&mut self, keep_capacity: bool) -> Option<T> {
        if self.first == self.end {
            self.rewind(keep_capacity);
            return None;
        }
        self.first += 1;
        self.entries[self.first as usize - 1].take()
    }

    /// Starts again at the first entry, whose cache lines were used last. The queue is empty.
    #[inline]
    fn rewind(&mut self, keep_capacity: bool) {
        (self.first, self.end) = (0, 0);
        if !keep_capacity {
            self.entries = Vec::new();
        }
    }

    /// Sorts the queued items by `key`; the sort is stable.
    #[inline(never)]
    pub(crate) fn sort_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        let queued = &mut self.entries[self.first as usize..self.end as usize];
        queued.sort_by_key(|entry| entry.as_ref().map(&key));
    }

    /// The queued items, in order.
    #[inline]
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.entries[self.first as usize..self.end as usize].iter().flatten()
    }

    /// Passes the item to `handle` in place and removes it, if it is the only one. Returns whether it was.
    #[inline]
    pub(crate) fn take_single(&mut self, handle: impl FnOnce(&mut T)) -> bool {
        if self.end - self.first != 1 {
            return false;
        }
        let entry = &mut self.entries[self.first as usize];
        if let Some(item) = entry {
            handle(item);
            *entry = None;
        }
        self.rewind(true);
        true
    }

    /// Passes each item to `each` in place, in order, and removes it. Then the capacity is kept or freed. If `each` panics,
    /// the items after that one stay queued.
    #[inline]
    pub(crate) fn drain_in_place(&mut self, keep_capacity: bool, mut each: impl FnMut(&T)) {
        let Self { entries, first, end } = self;
        for entry in &mut entries[*first as usize..*end as usize] {
            *first += 1;
            if let Some(item) = entry {
                each(item);
                *entry = None;
            }
        }
        self.rewind(keep_capacity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Item = Result<u32, String>;

    fn text(text: &str) -> Item {
        Err(text.to_owned())
    }

    #[test]
    fn items_leave_in_order_and_the_capacity_is_reused() {
        let mut queue = InPlaceQueue::<Item>::default();
        for round in 0..3 {
            let items = [Ok(round), text("a"), Ok(7), text("b"), Ok(8)];
            items.iter().for_each(|item| queue.push(item.clone()));
            assert!(!queue.is_empty());
            for item in items {
                assert_eq!(queue.pop(true), Some(item));
            }
            assert!(queue.is_empty());
            assert_eq!(queue.pop(true), None);
            assert_eq!(queue.entries.len(), 5);
        }
        for round in 0..100 {
            queue.push(Ok(round));
            assert_eq!(queue.pop(true), Some(Ok(round)));
        }
        assert_eq!(queue.entries.len(), 5, "pop returned no `None` in between");
        assert_eq!(queue.pop(false), None);
        assert_eq!(queue.entries.capacity(), 0);
    }

    #[test]
    fn draining_removes_the_items_and_reuses_their_entries() {
        let mut queue = InPlaceQueue::<Item>::default();
        for round in 0..100 {
            queue.push(Ok(round));
            queue.push(text("c"));
            assert!(queue.iter().eq([&Ok(round), &text("c")]));
            let mut seen = Vec::new();
            queue.drain_in_place(true, |item| seen.push(item.clone()));
            assert_eq!(seen, [Ok(round), text("c")]);
            assert!(queue.is_empty() && queue.entries.iter().all(Option::is_none));
        }
        assert_eq!(queue.entries.len(), 2);
        queue.drain_in_place(false, |_| unreachable!("the queue is empty"));
        assert_eq!(queue.entries.capacity(), 0);
    }

    #[test]
    fn sorting_leaves_out_what_was_popped() {
        let mut queue = InPlaceQueue::<Item>::default();
        for number in [9, 5, 8, 1, 2] {
            queue.push(Ok(number));
        }
        assert_eq!(queue.pop(true), Some(Ok(9)));
        queue.sort_by_key(|item| item.as_ref().map_or(0, |number| number / 4));
        assert!(queue.iter().eq([&Ok(1), &Ok(2), &Ok(5), &Ok(8)]), "{queue:?}");
    }

    #[test]
    fn items_after_a_panic_stay_queued() {
        let mut queue = InPlaceQueue::<Item>::default();
        [Ok(1), text("e"), text("f"), Ok(2)].into_iter().for_each(|item| queue.push(item));
        let panicking = std::panic::AssertUnwindSafe(|| queue.drain_in_place(true, |item| assert!(item.is_ok())));
        assert!(std::panic::catch_unwind(panicking).is_err());
        assert_eq!((queue.pop(true), queue.pop(true), queue.pop(true)), (Some(text("f")), Some(Ok(2)), None));
        assert!(queue.entries.iter().all(|entry| entry.is_none() || *entry == Some(text("e"))));
    }

    #[test]
    fn a_single_item_is_handled_in_place() {
        let mut queue = InPlaceQueue::<Item>::default();
        assert!(!queue.take_single(|_| unreachable!("the queue is empty")));
        for item in [Ok(1), text("d")] {
            queue.push(item.clone());
            let mut used = None;
            assert!(queue.take_single(|item| used = Some(item.clone())));
            assert_eq!((used, queue.pop(true)), (Some(item), None));
        }
        queue.push(Ok(1));
        queue.push(Ok(2));
        assert!(!queue.take_single(|_| unreachable!("two are queued")));
        assert_eq!((queue.pop(true), queue.pop(true), queue.pop(true)), (Some(Ok(1)), Some(Ok(2)), None));
    }
}
