//! The committed samples, read and written again.

use std::{fmt::Debug, fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The sample `events/contracts/<name>`.
pub(crate) fn text(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/contracts").join(name);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Requires that the sample is `value`, in both directions, also with a field that nobody knows yet.
pub(crate) fn assert_is<T>(name: &str, value: &T)
where
    T: Debug + PartialEq + Serialize + DeserializeOwned,
{
    let mut sample: Value = serde_json::from_str(&text(name)).unwrap();
    assert_eq!(&serde_json::from_value::<T>(sample.clone()).unwrap(), value, "{name}");
    assert_eq!(json!(value), sample, "{name}");
    sample["addedLater"] = json!({ "of": "a newer version" });
    assert_eq!(&serde_json::from_value::<T>(sample).unwrap(), value, "{name}");
}

#[test]
fn every_sample_is_of_a_contract() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events/contracts");
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let known = [
        "broadcast-page.json",
        "code-export.json",
        "coupon-expiring.json",
        "grant-chunk.json",
        "guest-birthday.json",
        "guest-signed-up.json",
        "import-step.json",
        "order-cancelled.json",
        "order-completed.json",
        "order-created.json",
        "order-paid.json",
        "queued-claim.txt",
        "queued-message.json",
        "rebuild-step.json",
        "search-clicked.json",
        "searched.json",
    ];
    assert_eq!(names, known);
}
