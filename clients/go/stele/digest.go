package stele

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/gowebpki/jcs"
	"google.golang.org/protobuf/encoding/protojson"

	stelev1 "stele.dev/api/stele/v1"
)

// Digest computes the digest of a record here: "sha256:" and 64 hexadecimal digits over its model, version and
// metadata. It equals the record's own digest field where the record is as it was registered, and the generated code
// knows all of its fields.
//
//	digest, err := stele.Digest(version)
//	if err == nil && digest != version.GetDigest() {
//		err = errors.New("the record was altered")
//	}
//
// It fails for records that cannot be registered, such as one with text that is not UTF-8.
func Digest(record *stelev1.ModelVersion) (string, error) {
	text, err := protojson.Marshal(&stelev1.ModelVersion{
		Model: record.GetModel(), Version: record.GetVersion(), Metadata: record.GetMetadata(),
	})
	if err != nil {
		return "", fmt.Errorf("stele: the record has no digest: %w", err)
	}
	canonical, err := jcs.Transform(text)
	if err != nil {
		return "", fmt.Errorf("stele: the record has no digest: %w", err)
	}
	sum := sha256.Sum256(append([]byte("stele-record-v1\n"), canonical...))
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
