package stele

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestAVersionThatIsTaken(t *testing.T) {
	metadata := map[string]string{
		"model": "m", "version": "1.0.0+b", "existing_version": "1.0.0+a", "existing_digest": "sha256:00",
		"registered_at": "2026-01-02T03:04:05.678Z", "identical": "true",
	}
	err := newError(failure(codes.AlreadyExists, "VERSION_ALREADY_EXISTS", metadata))
	taken, ok := errors.AsType[*VersionAlreadyExistsError](err)
	if !ok {
		t.Fatalf("%T", err)
	}
	identical := true
	want := &VersionAlreadyExistsError{
		Err: taken.Err, Model: "m", Version: "1.0.0+b", ExistingVersion: "1.0.0+a", ExistingDigest: "sha256:00",
		RegisteredAt: time.Date(2026, 1, 2, 3, 4, 5, 678_000_000, time.UTC), Identical: &identical,
	}
	if !reflect.DeepEqual(taken, want) {
		t.Errorf("%+v", taken)
	}
	assertGeneral(t, err, codes.AlreadyExists, "VERSION_ALREADY_EXISTS", metadata)
}

func TestAVersionThatIsTakenToWhomMayNotReadIt(t *testing.T) {
	metadata := map[string]string{"model": "m", "version": "1.0.0"}
	err := newError(failure(codes.AlreadyExists, "VERSION_ALREADY_EXISTS", metadata))
	taken, _ := errors.AsType[*VersionAlreadyExistsError](err)
	want := &VersionAlreadyExistsError{Err: taken.Err, Model: "m", Version: "1.0.0"}
	if !reflect.DeepEqual(taken, want) {
		t.Errorf("%+v", taken)
	}
}

func TestWhatIsNotFound(t *testing.T) {
	for _, test := range []struct {
		reason   string
		metadata map[string]string
		want     NotFoundError
	}{
		{"MODEL_NOT_FOUND", map[string]string{"model": "m"}, NotFoundError{Model: "m"}},
		{
			"VERSION_NOT_FOUND", map[string]string{"model": "m", "version": "1.0.0"},
			NotFoundError{Model: "m", Version: "1.0.0"},
		},
		{
			"VERSION_NOT_FOUND",
			map[string]string{
				"model": "m", "range": "^2", "nearest_below": "1.9.0", "nearest_above": "3.0.0", "nearest_prerelease": "2.0.0-rc.1",
			},
			NotFoundError{Model: "m", Range: "^2", NearestBelow: "1.9.0", NearestAbove: "3.0.0", NearestPrerelease: "2.0.0-rc.1"},
		},
	} {
		err := newError(failure(codes.NotFound, test.reason, test.metadata))
		missing, ok := errors.AsType[*NotFoundError](err)
		if !ok {
			t.Fatalf("%T", err)
		}
		test.want.Err = missing.Err
		if !reflect.DeepEqual(*missing, test.want) {
			t.Errorf("%+v, want %+v", missing, test.want)
		}
		assertGeneral(t, err, codes.NotFound, test.reason, test.metadata)
	}
}

func TestAnInvalidArgumentOfAnyReason(t *testing.T) {
	request := &errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
		{Field: "model", Description: "is required"}, {Field: "version", Description: "is required"},
	}}
	metadata := map[string]string{"violations": "7", "violations_omitted": "5"}
	err := newError(failure(codes.InvalidArgument, "INVALID_REQUEST", metadata, request))
	invalid, _ := errors.AsType[*InvalidArgumentError](err)
	want := &InvalidArgumentError{
		Err: invalid.Err, Violations: []Violation{{"model", "is required"}, {"version", "is required"}}, ViolationsOmitted: 5,
	}
	if !reflect.DeepEqual(invalid, want) {
		t.Errorf("%+v", invalid)
	}
	assertGeneral(t, err, codes.InvalidArgument, "INVALID_REQUEST", metadata)

	err = newError(failure(codes.InvalidArgument, "UNDECODABLE_REQUEST", nil))
	invalid, ok := errors.AsType[*InvalidArgumentError](err)
	if !ok || invalid.Violations != nil || invalid.ViolationsOmitted != 0 {
		t.Errorf("%+v", err)
	}
}

func TestEverythingElseIsTheGeneralError(t *testing.T) {
	metadata := map[string]string{"model": "m", "within": "^2"}
	err := newError(failure(codes.FailedPrecondition, "NO_BASE_VERSION", metadata))
	assertGeneral(t, err, codes.FailedPrecondition, "NO_BASE_VERSION", metadata)
	if got := err.Error(); got != "stele: NO_BASE_VERSION: what happened" {
		t.Error(got)
	}
	if details := status.Convert(err).Details(); len(details) != 1 {
		t.Errorf("%d details", len(details))
	}

	err = newError(status.Error(codes.Unavailable, "connection refused"))
	assertGeneral(t, err, codes.Unavailable, "", nil)
	if got := err.Error(); got != "stele: Unavailable: connection refused" {
		t.Error(got)
	}

	foreign := &errdetails.ErrorInfo{Domain: "proxy.example", Reason: "NO_ROUTE", Metadata: map[string]string{"a": "b"}}
	detailed, _ := status.New(codes.NotFound, "no route").WithDetails(foreign)
	assertGeneral(t, newError(detailed.Err()), codes.NotFound, "", nil)
}

func assertGeneral(t *testing.T, err error, code codes.Code, reason string, metadata map[string]string) {
	t.Helper()
	general, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("%T is no *Error", err)
	}
	if general.Code != code || general.Reason != reason || !reflect.DeepEqual(general.Metadata, metadata) {
		t.Errorf("%v %q %v", general.Code, general.Reason, general.Metadata)
	}
	if status.Code(err) != code || status.Convert(err).Message() != general.Message {
		t.Errorf("its status is %v", status.Convert(err))
	}
}
