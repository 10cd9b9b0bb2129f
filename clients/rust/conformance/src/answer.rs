//! Errors as the protocol tells them.

use serde_json::{Value, json};
use stele_client::Error;

pub fn error(error: &Error) -> Value {
    let mut members = members(error);
    members["code"] = json!(screaming(&format!("{:?}", error.code())));
    members["reason"] = json!(error.reason());
    members["message"] = json!(error.message());
    members["metadata"] = json!(error.metadata());
    if let Value::Object(members) = &mut members {
        members.retain(|_, value| !value.is_null());
    }
    members
}

fn members(error: &Error) -> Value {
    match error {
        Error::VersionAlreadyExists(taken) => json!({
            "type": "VersionAlreadyExists",
            "model": taken.model,
            "version": taken.version,
            "existingVersion": taken.existing_version,
            "existingDigest": taken.existing_digest,
            "registeredAt": taken.registered_at.map(|time| time.to_string()),
            "identical": taken.identical,
        }),
        Error::NotFound(missing) => json!({
            "type": "NotFound",
            "model": missing.model,
            "version": missing.version,
            "range": missing.range,
            "nearestBelow": missing.nearest_below,
            "nearestAbove": missing.nearest_above,
            "nearestPrerelease": missing.nearest_prerelease,
        }),
        Error::InvalidArgument(invalid) => {
            let violations = invalid.violations.iter();
            let violations = violations.map(|one| json!({ "field": one.field, "description": one.description }));
            json!({
                "type": "InvalidArgument",
                "violations": violations.collect::<Vec<_>>(),
                "violationsOmitted": invalid.violations_omitted,
            })
        }
        _ => json!({ "type": "RegistryError" }),
    }
}

/// `AlreadyExists` to `ALREADY_EXISTS`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}
