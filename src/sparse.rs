//! Serialises structs without absent fields in human-readable formats, and in full in binary formats, which need every field.

/// Implements `Serialize` for a struct: a field whose `absent if` condition holds is omitted from human-readable formats.
macro_rules! serialize_sparse {
    ($type:ident, |$this:ident| { $($key:literal: $value:expr, absent if $absent:expr;)+ }) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeStruct;
                let $this = self;
                let sparse = serializer.is_human_readable();
                let count = 0 $(+ usize::from(!(sparse && $absent)))+;
                let mut fields = serializer.serialize_struct(stringify!($type), count)?;
                $(
                    if sparse && $absent {
                        fields.skip_field($key)?;
                    } else {
                        fields.serialize_field($key, &$value)?;
                    }
                )+
                fields.end()
            }
        }
    };
}

pub(crate) use serialize_sparse;
