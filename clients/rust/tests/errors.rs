//! Errors from statuses, with and without details.

mod fake;

use fake::{details, told};
use stele_client::Error;
use tonic::{Code, Status};
use tonic_types::{FieldViolation, StatusExt};

#[test]
fn a_version_that_is_taken_is_told_with_what_is_there() {
    let status = told(
        Code::AlreadyExists,
        "VERSION_ALREADY_EXISTS",
        &[
            ("model", "m"),
            ("version", "1.0.0"),
            ("existing_version", "1.0.0+b"),
            ("existing_digest", "sha256:0"),
            ("registered_at", "2026-01-02T03:04:05.600Z"),
            ("identical", "false"),
        ],
    );
    let error = Error::from(status);
    assert_eq!((error.code(), error.reason()), (Code::AlreadyExists, "VERSION_ALREADY_EXISTS"));
    assert_eq!(error.message(), "as the service says it");
    assert_eq!(error.metadata()["model"], "m");
    assert_eq!(error.to_string(), "VERSION_ALREADY_EXISTS: as the service says it");
    let Error::VersionAlreadyExists(taken) = error else { panic!("{error:?}") };
    assert_eq!((taken.model.as_str(), taken.version.as_str()), ("m", "1.0.0"));
    assert_eq!(taken.existing_version.as_deref(), Some("1.0.0+b"));
    assert_eq!(taken.existing_digest.as_deref(), Some("sha256:0"));
    assert_eq!(taken.registered_at.map(|at| at.to_string()).as_deref(), Some("2026-01-02T03:04:05.600Z"));
    assert_eq!(taken.identical, Some(false));
}

#[test]
fn a_version_that_is_taken_is_told_to_who_may_not_read_it() {
    let status = told(Code::AlreadyExists, "VERSION_ALREADY_EXISTS", &[("model", "m"), ("version", "1.0.0")]);
    let error = Error::from(status);
    let Error::VersionAlreadyExists(taken) = error else { panic!("{error:?}") };
    assert_eq!((&taken.existing_version, &taken.existing_digest), (&None, &None));
    assert_eq!((taken.registered_at, taken.identical), (None, None));
}

#[test]
fn what_is_not_found_is_told_with_what_came_nearest() {
    let metadata = [("model", "m"), ("range", "^3"), ("nearest_below", "2.9.0")];
    let error = Error::from(told(Code::NotFound, "VERSION_NOT_FOUND", &metadata));
    let Error::NotFound(missing) = error else { panic!("{error:?}") };
    assert_eq!((missing.model.as_str(), missing.range.as_deref()), ("m", Some("^3")));
    assert_eq!(missing.nearest_below.as_deref(), Some("2.9.0"));
    assert_eq!((&missing.version, &missing.nearest_above, &missing.nearest_prerelease), (&None, &None, &None));
}

#[test]
fn an_invalid_argument_is_told_with_its_fields_whatever_the_reason() {
    let mut details = details("PAGE_TOKEN_MISMATCH", &[("violations_omitted", "7")]);
    details.set_bad_request(vec![FieldViolation::new("page_token", "is of another listing")]);
    let error = Error::from(Status::with_error_details(Code::InvalidArgument, "no", details));
    let Error::InvalidArgument(invalid) = error else { panic!("{error:?}") };
    let fields: Vec<_> = invalid.violations.iter().map(|one| (&*one.field, &*one.description)).collect();
    assert_eq!(fields, [("page_token", "is of another listing")]);
    assert_eq!(invalid.violations_omitted, 7);
}

#[test]
fn a_failure_of_another_domain_has_neither_reason_nor_metadata() {
    let mut details = tonic_types::ErrorDetails::new();
    details.set_error_info("MODEL_NOT_FOUND", "elsewhere", [("model".to_owned(), "m".to_owned())]);
    let error = Error::from(Status::with_error_details(Code::NotFound, "a proxy", details));
    assert!(matches!(error, Error::Registry(_)));
    assert_eq!((error.reason(), error.metadata().len()), ("", 0));
    assert_eq!(error.to_string(), "NotFound: a proxy");
}
