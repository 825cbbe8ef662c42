//! A value that is boxed on first use.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value boxed on first use; one pointer wide until then. The allocation is kept from then on.
///
/// An uninitialised box equals one that holds the default, and serialises like it.
#[derive(Clone, Debug)]
pub(crate) struct LazyBox<T>(Option<Box<T>>);

impl<T> LazyBox<T> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Removes and returns the value, and frees the allocation.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|value| *value)
    }
}

impl<T: Default> LazyBox<T> {
    #[inline]
    pub(crate) fn get_or_init(&mut self) -> &mut T {
        self.0.get_or_insert_with(boxed_default)
    }
}

#[cold]
#[inline(never)]
fn boxed_default<T: Default>() -> Box<T> {
    Box::default()
}

impl<T> Default for LazyBox<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default + PartialEq> From<T> for LazyBox<T> {
    fn from(value: T) -> Self {
        if value == T::default() { Self(None) } else { Self(Some(Box::new(value))) }
    }
}

impl<T: Default + PartialEq> PartialEq for LazyBox<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self.get(), other.get()) {
            (Some(one), Some(other)) => one == other,
            (None, None) => true,
            (Some(value), None) | (None, Some(value)) => *value == T::default(),
        }
    }
}

impl<T: Default + Eq> Eq for LazyBox<T> {}

impl<T: Default + Serialize> Serialize for LazyBox<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.get() {
            Some(value) => value.serialize(serializer),
            None => T::default().serialize(serializer),
        }
    }
}

impl<'de, T: Default + PartialEq + Deserialize<'de>> Deserialize<'de> for LazyBox<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uninitialised_box_equals_one_that_holds_the_default() {
        let unused = LazyBox::<Vec<u32>>::default();
        let mut used = unused.clone();
        assert!(used.get_or_init().is_empty());
        assert_eq!(unused, used);
        assert_eq!(serde_json::to_string(&unused).unwrap(), "[]");
        assert_eq!(serde_json::to_string(&used).unwrap(), "[]");
        used.get_or_init().push(3);
        assert_ne!(unused, used);
        assert_eq!(serde_json::from_str::<LazyBox<Vec<u32>>>("[3]").unwrap(), used);
        assert!(serde_json::from_str::<LazyBox<Vec<u32>>>("[]").unwrap().get().is_none());
    }
}
