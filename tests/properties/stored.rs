//! What is stored comes back the same from JSON and from postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What postcard gives back, which JSON gives back too.
pub(crate) fn reread<T: Serialize + DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).unwrap();
    let from_text: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(serde_json::to_string(&from_text).unwrap(), text);
    let bytes = postcard::to_stdvec(value).unwrap();
    let from_bytes: T = postcard::from_bytes(&bytes).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(serde_json::to_string(&from_bytes).unwrap(), text);
    assert_eq!(postcard::to_stdvec(&from_bytes).unwrap(), bytes);
    from_bytes
}
