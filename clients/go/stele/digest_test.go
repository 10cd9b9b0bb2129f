package stele

import (
	"encoding/json"
	"os"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	stelev1 "stele.dev/api/stele/v1"
)

func TestTheDigestsOfTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../../docs/digest-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		Name   string
		Record json.RawMessage
		Digest string
	}
	if err := json.Unmarshal(text, &vectors); err != nil || len(vectors) == 0 {
		t.Fatal(len(vectors), err)
	}
	for _, vector := range vectors {
		record := &stelev1.ModelVersion{}
		if err := protojson.Unmarshal(vector.Record, record); err != nil {
			t.Fatal(err)
		}
		// What the service adds does not count.
		record.Digest, record.RegisteredBy = vector.Digest, "token:ci"
		if got, err := Digest(record); err != nil || got != vector.Digest {
			t.Errorf("%s: %s, %v", vector.Name, got, err)
		}
	}
}

func TestARecordThatCannotBeRegisteredHasNoDigest(t *testing.T) {
	if got, err := Digest(&stelev1.ModelVersion{Model: "\xff"}); err == nil {
		t.Error(got)
	}
}
