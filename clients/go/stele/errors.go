package stele

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is the failure of a call: what all of them know. Branch on the reason, never on the message.
type Error struct {
	// Code is the code of gRPC.
	Code codes.Code
	// Reason is one of those in the service's list of errors, such as "NO_BASE_VERSION"; "" where the failure does not
	// come from the service.
	Reason string
	// Message is for people.
	Message string
	// Metadata has what is dynamic in the message; nil where the failure does not come from the service.
	Metadata map[string]string

	cause error
}

// Error returns the reason, or the code where there is none, and the message.
func (e *Error) Error() string {
	if e.Reason == "" {
		return fmt.Sprintf("stele: %v: %s", e.Code, e.Message)
	}
	return fmt.Sprintf("stele: %s: %s", e.Reason, e.Message)
}

// GRPCStatus returns the status with all its details.
func (e *Error) GRPCStatus() *status.Status {
	if e.cause == nil {
		return status.New(e.Code, e.Message)
	}
	withDetails := status.Convert(e.cause).Proto()
	withDetails.Message = e.Message
	return status.FromProto(withDetails)
}

// Unwrap returns the error of gRPC, or that of the token function.
func (e *Error) Unwrap() error { return e.cause }

// Is tells that CANCELLED is [context.Canceled], and DEADLINE_EXCEEDED is [context.DeadlineExceeded].
func (e *Error) Is(target error) bool {
	return e.Code == codes.Canceled && target == context.Canceled ||
		e.Code == codes.DeadlineExceeded && target == context.DeadlineExceeded
}

// VersionAlreadyExistsError tells that the version is taken, also when only its build metadata differs.
type VersionAlreadyExistsError struct {
	// Err is what every failure knows.
	Err *Error
	// Model and Version are those that were to be registered.
	Model, Version string
	// ExistingVersion is the version as it is registered, with its build metadata, and ExistingDigest the digest of its
	// record; "" where the caller may not read the model.
	ExistingVersion, ExistingDigest string
	// RegisteredAt is when it was registered; zero where the caller may not read the model.
	RegisteredAt time.Time
	// Identical tells whether its content is the same as that of the request; nil where the caller may not read the model.
	Identical *bool
}

// Error returns the message of Err.
func (e *VersionAlreadyExistsError) Error() string { return e.Err.Error() }

// GRPCStatus returns the status of Err.
func (e *VersionAlreadyExistsError) GRPCStatus() *status.Status { return e.Err.GRPCStatus() }

// Unwrap returns Err.
func (e *VersionAlreadyExistsError) Unwrap() error { return e.Err }

// NotFoundError tells that there is no such model, or that it has no such version. Its fields are "" where they do not
// apply.
type NotFoundError struct {
	// Err is what every failure knows; its reason is MODEL_NOT_FOUND or VERSION_NOT_FOUND.
	Err *Error
	// Model is the one asked for, and Version or Range what was asked of it.
	Model, Version, Range string
	// NearestBelow and NearestAbove are the versions next to the range. NearestPrerelease is the one in it that
	// PRERELEASES_INCLUDE would have found.
	NearestBelow, NearestAbove, NearestPrerelease string
}

// Error returns the message of Err.
func (e *NotFoundError) Error() string { return e.Err.Error() }

// GRPCStatus returns the status of Err.
func (e *NotFoundError) GRPCStatus() *status.Status { return e.Err.GRPCStatus() }

// Unwrap returns Err.
func (e *NotFoundError) Unwrap() error { return e.Err }

// InvalidArgumentError tells what is wrong with a request. Nothing was stored.
type InvalidArgumentError struct {
	// Err is what every failure knows.
	Err *Error
	// Violations are the fields that break their rules, and ViolationsOmitted is how many more did not fit.
	Violations        []Violation
	ViolationsOmitted int
}

// Violation is a field that breaks its rule.
type Violation struct {
	// Field is its path, in the names of the proto, such as "metadata.artifacts[2].digest".
	Field string
	// Description is the rule, for people.
	Description string
}

// Error returns the message of Err.
func (e *InvalidArgumentError) Error() string { return e.Err.Error() }

// GRPCStatus returns the status of Err.
func (e *InvalidArgumentError) GRPCStatus() *status.Status { return e.Err.GRPCStatus() }

// Unwrap returns Err.
func (e *InvalidArgumentError) Unwrap() error { return e.Err }

// newError makes the typed error of a failed attempt.
func newError(failure error) error {
	failed := status.Convert(failure)
	info := errorInfoOf(failure)
	err := &Error{failed.Code(), info.GetReason(), failed.Message(), info.GetMetadata(), failure}
	switch {
	case err.Reason == "VERSION_ALREADY_EXISTS":
		return newVersionAlreadyExists(err)
	case err.Reason == "MODEL_NOT_FOUND", err.Reason == "VERSION_NOT_FOUND":
		return newNotFound(err)
	case err.Code == codes.InvalidArgument:
		return newInvalidArgument(err)
	default:
		return err
	}
}

func newVersionAlreadyExists(err *Error) *VersionAlreadyExistsError {
	m := err.Metadata
	taken := &VersionAlreadyExistsError{
		Err: err, Model: m["model"], Version: m["version"],
		ExistingVersion: m["existing_version"], ExistingDigest: m["existing_digest"],
	}
	// What cannot be parsed stays unknown.
	taken.RegisteredAt, _ = time.Parse(time.RFC3339, m["registered_at"])
	if identical, parseErr := strconv.ParseBool(m["identical"]); parseErr == nil {
		taken.Identical = &identical
	}
	return taken
}

func newNotFound(err *Error) *NotFoundError {
	m := err.Metadata
	return &NotFoundError{
		Err: err, Model: m["model"], Version: m["version"], Range: m["range"],
		NearestBelow: m["nearest_below"], NearestAbove: m["nearest_above"], NearestPrerelease: m["nearest_prerelease"],
	}
}

func newInvalidArgument(err *Error) *InvalidArgumentError {
	invalid := &InvalidArgumentError{Err: err}
	for _, violation := range detailOf[*errdetails.BadRequest](err).GetFieldViolations() {
		invalid.Violations = append(invalid.Violations, Violation{violation.GetField(), violation.GetDescription()})
	}
	invalid.ViolationsOmitted, _ = strconv.Atoi(err.Metadata["violations_omitted"])
	return invalid
}

// errorInfoOf returns the ErrorInfo that every failure has which comes from the service; nil where there is none.
func errorInfoOf(failure error) *errdetails.ErrorInfo {
	if info := detailOf[*errdetails.ErrorInfo](failure); info.GetDomain() == "stele" {
		return info
	}
	return nil
}

// detailOf returns the detail of this type; nil where there is none.
func detailOf[Detail any](failure error) Detail {
	for _, each := range status.Convert(failure).Details() {
		if detail, ok := each.(Detail); ok {
			return detail
		}
	}
	var none Detail
	return none
}
