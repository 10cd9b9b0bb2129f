// Registers a version, gets it, lists all versions, and registers it again: example ADDRESS MODEL
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"stele.dev/api/stele"
	stelev1 "stele.dev/api/stele/v1"
)

func main() {
	ctx, address, model := context.Background(), os.Args[1], os.Args[2]
	client := must(stele.New(address, stele.WithPlaintext()))
	defer client.Close()

	metadata := &stelev1.ModelMetadata{
		Architecture: "CNN",
		TrainingData: []*stelev1.DatasetReference{{Name: "dataset_v3"}},
		Metrics:      map[string]float64{"accuracy": 0.95},
	}
	number := &stelev1.RegisterVersionRequest_Version{Version: "1.0.1"}
	request := &stelev1.RegisterVersionRequest{Model: model, Number: number, Metadata: metadata}
	registered := must(client.Register(ctx, request))

	got := must(client.Get(ctx, model, "1.0.1"))
	log.Print("what was got is what was registered: ", got.GetDigest() == registered.GetDigest())

	for version, err := range client.ListVersions(ctx, &stelev1.ListVersionsRequest{Model: model}) {
		fmt.Println(must(version, err).GetVersion())
	}

	metadata.Metrics["accuracy"] = 0.99
	_, err := client.Register(ctx, request)
	if taken, ok := errors.AsType[*stele.VersionAlreadyExistsError](err); ok {
		identical := taken.Identical != nil && *taken.Identical
		fmt.Printf("%s is taken: digest %s, identical: %t\n", taken.ExistingVersion, taken.ExistingDigest, identical)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
