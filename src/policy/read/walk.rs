//! One walk over a document that finds every mistake: where it is, what it is, what would be right.

use super::nearest::nearest;
use super::problem::{PolicyError, Problem};
use super::value::{Value, clip, escape, is_unprintable};

/// More than a person reads, few enough that a hostile document does not fill the memory with them.
const MAX_PROBLEMS: usize = 1000;

/// One walk over a document: where it is now, and what it has found wrong so far.
///
/// What reads a part gives `None` where it could not be read, and has reported why; the walk goes on, so that one
/// reading finds every mistake.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    path: Vec<Step>,
    problems: Vec<Problem>,
    more: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Field(String),
    Index(usize),
}

/// The fields that a block may have: an array of their names, or a type of your own with more to say.
pub trait Known {
    /// Their names, in the order of the documentation.
    fn names(&self) -> Vec<&'static str>;

    /// What to say of a field that is not one of them, where there is more to say than that it is unknown.
    fn remark(&self, _field: &str) -> Option<String> {
        None
    }
}

impl<const N: usize> Known for [&'static str; N] {
    fn names(&self) -> Vec<&'static str> {
        self.to_vec()
    }
}

impl Walk {
    /// A walk that begins at the document's root.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reports a mistake at the present path.
    pub fn problem(&mut self, message: impl Into<String>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        // Texts of the document, of files and of formats end up here; lines are kept, for lists of mistakes.
        let message = message.into();
        let message = if message.contains(|c| is_unprintable(c) && c != '\n') {
            message.split('\n').map(escape).collect::<Vec<_>>().join("\n")
        } else {
            message
        };
        let problem = Problem { path: self.path(), message };
        self.problems.push(problem);
    }

    /// Reports that something else was expected here; always `None`, to be given back.
    pub fn expected<T>(&mut self, what: &str, found: &Value) -> Option<T> {
        self.problem(format!("expected {what}, found {}", found.describe()));
        None
    }

    /// Steps into a field.
    pub fn field<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(Step::Field(clip(name)), read)
    }

    /// Steps into an element of a list.
    pub fn index<T>(&mut self, index: usize, read: impl FnOnce(&mut Self) -> T) -> T {
        self.step(Step::Index(index), read)
    }

    fn step<T>(&mut self, step: Step, read: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(step);
        let result = read(self);
        self.path.pop();
        result
    }

    /// The present path, such as `failure.rules[2].when`.
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

    /// The fields of a block. Unknown fields and fields that are given twice are reported here and now; anything
    /// but a block is a mistake, and gives `None`. An empty block may be written as nothing at all.
    pub fn fields<'v>(&mut self, value: &'v Value, known: &dyn Known) -> Option<Fields<'v>> {
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
                    self.field(name, |walk| walk.problem("is given twice"));
                } else {
                    seen.push(name);
                }
                continue;
            }
            self.field(name, |walk| match (known.remark(name), nearest(name, names.iter().copied())) {
                (Some(remark), _) => walk.problem(remark),
                (None, Some(meant)) => {
                    walk.problem(format!("unknown field; did you mean '{meant}'? known: {}", names.join(", ")));
                }
                (None, None) => walk.problem(format!("unknown field; known: {}", names.join(", "))),
            });
        }
        Some(Fields { entries })
    }

    /// Every element of a list, or the one value that stands for a list of one. Nothing is an empty list.
    pub fn each<'v>(&mut self, value: &'v Value, mut read: impl FnMut(&mut Self, &'v Value)) {
        match value {
            Value::Null => {}
            Value::Seq(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.index(index, |walk| read(walk, item));
                }
            }
            single => read(self, single),
        }
    }

    /// Every element of a list that may not be written as a single value. Nothing is an empty list.
    pub fn list<'v>(&mut self, value: &'v Value, what: &str, read: impl FnMut(&mut Self, &'v Value)) {
        match value {
            Value::Null | Value::Seq(_) => self.each(value, read),
            other => {
                let _: Option<()> = self.expected(what, other);
            }
        }
    }

    /// How many mistakes were found so far.
    pub fn found(&self) -> usize {
        self.problems.len() + self.more
    }

    /// Ends the walk.
    ///
    /// # Errors
    /// Everything that was found wrong.
    pub fn finish(self) -> Result<(), PolicyError> {
        if self.problems.is_empty() { Ok(()) } else { Err(PolicyError::new(self.problems, self.more)) }
    }

    /// Ends the walk, and gives what was read.
    ///
    /// # Errors
    /// Everything that was found wrong.
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
    /// The value of a field, if it is given; of one given twice, the first.
    pub fn get(&self, name: &str) -> Option<&'v Value> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Reads a field that may be left out.
    pub fn read<T>(
        &self,
        walk: &mut Walk,
        name: &str,
        read: impl FnOnce(&mut Walk, &'v Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(name)?;
        walk.field(name, |walk| read(walk, value))
    }

    /// Reads a field that must be given; `what` is what the message asks for.
    pub fn require<T>(
        &self,
        walk: &mut Walk,
        name: &str,
        what: &str,
        read: impl FnOnce(&mut Walk, &'v Value) -> Option<T>,
    ) -> Option<T> {
        if self.get(name).is_none() {
            walk.problem(format!("'{name}' is missing: {what}"));
        }
        self.read(walk, name, read)
    }
}
