//! What most never have, apart.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What most never have: it takes a word until it is first made, and keeps its room from then on.
///
/// One that was never made and one that is as made are equal, and are written alike.
#[derive(Clone, Debug)]
pub(crate) struct Seldom<T>(Option<Box<T>>);

impl<T> Seldom<T> {
    #[inline]
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    #[inline]
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    pub(crate) fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// Gives its room back, and what is in it.
    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take().map(|made| *made)
    }
}

impl<T: Default> Seldom<T> {
    /// It, made if it was not there.
    #[inline]
    pub(crate) fn make(&mut self) -> &mut T {
        self.0.get_or_insert_with(new)
    }
}

#[cold]
#[inline(never)]
fn new<T: Default>() -> Box<T> {
    Box::default()
}

impl<T> Default for Seldom<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Default + PartialEq> From<T> for Seldom<T> {
    fn from(made: T) -> Self {
        if made == T::default() { Self(None) } else { Self(Some(Box::new(made))) }
    }
}

impl<T: Default + PartialEq> PartialEq for Seldom<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self.get(), other.get()) {
            (Some(one), Some(other)) => one == other,
            (None, None) => true,
            (Some(made), None) | (None, Some(made)) => *made == T::default(),
        }
    }
}

impl<T: Default + Eq> Eq for Seldom<T> {}

impl<T: Default + Serialize> Serialize for Seldom<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.get() {
            Some(made) => made.serialize(serializer),
            None => T::default().serialize(serializer),
        }
    }
}

impl<'de, T: Default + PartialEq + Deserialize<'de>> Deserialize<'de> for Seldom<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_never_made_is_as_what_is_as_made() {
        let never = Seldom::<Vec<u32>>::default();
        let mut made = never.clone();
        assert!(made.make().is_empty());
        assert_eq!(never, made);
        assert_eq!(serde_json::to_string(&never).unwrap(), "[]");
        assert_eq!(serde_json::to_string(&made).unwrap(), "[]");
        made.make().push(3);
        assert_ne!(never, made);
        assert_eq!(serde_json::from_str::<Seldom<Vec<u32>>>("[3]").unwrap(), made);
        assert!(serde_json::from_str::<Seldom<Vec<u32>>>("[]").unwrap().get().is_none());
    }
}
