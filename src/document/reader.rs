//! The reader of a document, which reports every mistake with its path.

use super::problem::{PolicyError, Problem};
use super::suggestion::closest;
use super::value::{Value, clip, escape, is_unprintable};

/// More mistakes than this are only counted, so that a hostile document does not exhaust the memory.
const MAX_PROBLEMS: usize = 1000;

/// Reads a document: holds the current path and the mistakes found so far.
///
/// A function that reads a part reports a mistake and returns `None`. Reading goes on with the next part, so that one
/// pass finds every mistake. The [module](crate::document) has an example.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    path: Vec<Step>,
    problems: Vec<Problem>,
    more: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Index(usize),
}

/// The fields that a block may have: an array of their names, or a type that also has hints for unknown fields.
pub trait FieldSet {
    /// Returns the names, in the order of the documentation.
    fn names(&self) -> Vec<&'static str>;

    /// Returns a message for an unknown field. Without one, the field is reported as unknown.
    fn remark(&self, _field: &str) -> Option<String> {
        None
    }
}

impl<const N: usize> FieldSet for [&'static str; N] {
    fn names(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}

impl Reader {
    /// Creates a reader at the document's root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a mistake at the current path.
    pub fn problem(&mut self, message: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        // A message may quote documents, files and other errors. Line breaks are kept, for lists of mistakes.
        let message = message.into();
        let message = if message.contains(|c| is_unprintable(c) && c != '\n') {
            message.split('\n').map(escape).collect::<Vec<_>>().join("\n")
        } else {
            message
        };
        let problem = Problem { path: self.path(), message };
        self.problems.push(problem);
    }

    /// Reports that something else was expected here. Always returns `None`, which the caller can return.
    pub fn expected<T>(&mut self, what: &str, found: &Value) -> Option<T> {
        self.problem(format!("expected {what}, found {}", found.describe()));
        None
    }

    /// Calls `read` with the path of this field.
    pub fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(Step::Field(clip(name)), read)
    }

    /// Calls `read` with the path of this list element.
    pub fn index<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(Step::Index(index), read)
    }

    fn step<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// Returns the current path, such as `failure.rules[2].when`.
    pub fn path(&self) -> String {
        let mut text = String::new();
        for step in &self.path {
            match step {
                Step::Field(name) if text.is_empty() => text.push_str(name),
                Step::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }

    /// Returns the fields of a block, and reports unknown and duplicate ones. A null value is an empty block. Any other
    /// value is reported, and the result is `None`.
    pub fn fields<'v>(&mut self, value: &'v Value, known: &dyn FieldSet) -> Option<Fields<'v>> {
        let entries = match value {
            Value::Map(entries) => entries.as_slice(),
            Value::Null => &[],
            other => return self.expected("a block of keys", other),
        };
        let names = known.names();
        let mut seen: Vec<&str> = Vec::new();
        for (name, _) in entries {
            if let Some(name) = names.iter().find(|known| *known == name) {
                if seen.contains(name) {
                    self.field(name, |reader| reader.problem("is given twice; keep one of them"));
                } else {
                    seen.push(name);
                }
                continue;
            }
            self.field(name, |reader| match (known.remark(name), closest(name, names.iter().copied())) {
                (Some(remark), _) => reader.problem(remark),
                (None, Some(meant)) => {
                    reader.problem(format!("unknown field; did you mean '{meant}'? known: {}", names.join(", ")));
                }
                (None, None) => reader.problem(format!("unknown field; known: {}", names.join(", "))),
            });
        }
        Some(Fields { entries })
    }

    /// Reads every element of a list. A single value is a list of one, a null value an empty list.
    pub fn each<'v>(&mut self, value: &'v Value, mut read: impl FnMut(&mut Self, &'v Value)) {
        match value {
            Value::Null => {}
            Value::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.index(index, |reader| read(reader, item));
                }
            }
            single => read(self, single),
        }
    }

    /// Reads every element of a list. A null value is an empty list; any other value is reported.
    pub fn list<'v>(&mut self, value: &'v Value, what: &str, read: impl FnMut(&mut Self, &'v Value)) {
        match value {
            Value::Null | Value::Seq(_) => self.each(value, read),
            other => {
                let _: Option<()> = self.expected(what, other);
            }
        }
    }

    /// Returns the number of mistakes found so far.
    pub fn found(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Finishes reading.
    ///
    /// # Errors
    /// Returns every mistake that was reported.
    pub fn finish(self) -> Result<(), PolicyError> {
        if self.problems.is_empty() { Ok(()) } else { Err(PolicyError::new(self.problems, self.more)) }
    }

    /// Finishes reading and returns the value that was read.
    ///
    /// # Errors
    /// Returns every mistake that was reported.
    pub fn finish_with<T>(self, read: Option<T>) -> Result<T, PolicyError> {
        self.finish()?;
        read.ok_or_else(PolicyError::unspecified)
    }
}

/// The fields of one block of the document.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'v> {
    entries: &'v [(String, Value)],
}

impl<'v> Fields<'v> {
    /// Returns the value of a field; the first if it is given twice.
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Reads an optional field.
    pub fn read<T>(
        &self,
        reader: &mut Reader,
        name: &str,
        read: impl FnOnce(&mut Reader, &'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        reader.field(name, |reader| read(reader, value))
    }

    /// Reads a required field. `what` describes it in the message if it is missing.
    pub fn require<T>(
        &self,
        reader: &mut Reader,
        name: &str,
        what: &str,
        read: impl FnOnce(&mut Reader, &'v Value) -> Option<T>,
    ) -> Option<T> {
        if self.get(name).is_none() {
            reader.problem(format!("'{name}' is missing: {what}"));
        }
        self.read(reader, name, read)
    }
}
