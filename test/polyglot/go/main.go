// Registers, gets and lists with the generated client: client ADDRESS MODEL prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	stelev1 "example.com/client/gen/stele/v1"
)

func main() {
	address, model := os.Args[1], os.Args[2]
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	connection := must(grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials())))
	registry := stelev1.NewModelRegistryServiceClient(connection)
	number := &stelev1.RegisterVersionRequest_Version{Version: "1.0.1"}
	request := &stelev1.RegisterVersionRequest{Model: model, Number: number, Metadata: &stelev1.ModelMetadata{
		Architecture: "CNN",
		TrainingData: []*stelev1.DatasetReference{{Name: "dataset_v3"}},
		Metrics:      map[string]float64{"accuracy": 0.95},
	}}

	registered := must(registry.RegisterVersion(ctx, request)).GetModelVersion()
	selector := &stelev1.GetVersionRequest_Version{Version: "1.0.1"}
	got := must(registry.GetVersion(ctx, &stelev1.GetVersionRequest{Model: model, Selector: selector})).GetModelVersion()
	pages := must(registry.ListVersions(ctx, &stelev1.ListVersionsRequest{Model: model, PageSize: 1}))
	var listed []string
	for page, err := pages.Recv(); err != io.EOF; page, err = pages.Recv() {
		for _, each := range must(page, err).GetVersions() {
			listed = append(listed, each.GetModelVersion().GetVersion())
		}
	}
	_, err := registry.RegisterVersion(ctx, request)
	info := errorInfo(err)

	must(0, json.NewEncoder(os.Stdout).Encode(map[string]any{
		"registered":      registered.GetVersion(),
		"digest":          got.GetDigest(),
		"listed":          listed,
		"code":            code.Code(status.Code(err)).String(),
		"reason":          info.GetReason(),
		"domain":          info.GetDomain(),
		"identical":       info.GetMetadata()["identical"],
		"existing_digest": info.GetMetadata()["existing_digest"],
	}))
}

func errorInfo(err error) *errdetails.ErrorInfo {
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info
		}
	}
	return nil
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
