// Command conformance runs the cases of test/conformance through this client: JSON requests on standard input, one a
// line, and an answer to each on standard output.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"stele.dev/api/stele"
	stelev1 "stele.dev/api/stele/v1"
)

type request struct {
	Do string `json:"do"`

	Address         string `json:"address"`
	Plaintext       bool   `json:"plaintext"`
	CAFile          string `json:"caFile"`
	CertificateFile string `json:"certificateFile"`
	KeyFile         string `json:"keyFile"`
	Token           string `json:"token"`
	TimeoutMs       int64  `json:"timeoutMs"`

	Request     json.RawMessage `json:"request"`
	Record      json.RawMessage `json:"record"`
	Model       string          `json:"model"`
	Version     string          `json:"version"`
	Range       string          `json:"range"`
	Prereleases string          `json:"prereleases"`
	Count       *int            `json:"count"`
}

type answer map[string]any

// runner has the client of the last connect, and the iteration that was begun last.
type runner struct {
	client *stele.Client
	next   func() (proto.Message, error, bool)
	stop   func()
}

func main() {
	run := &runner{stop: func() {}}
	input, output := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		err := input.Decode(&r)
		if err == io.EOF {
			return
		}
		must(0, err)
		must(0, output.Encode(run.do(context.Background(), r)))
	}
}

func (run *runner) do(ctx context.Context, r request) answer {
	switch r.Do {
	case "connect":
		return run.connect(r)
	case "register":
		return answerOf(run.client.Register(ctx, parse(r.Request, &stelev1.RegisterVersionRequest{})))
	case "get":
		return answerOf(run.client.Get(ctx, r.Model, r.Version))
	case "resolve":
		prereleases := stelev1.Prereleases(stelev1.Prereleases_value[r.Prereleases])
		return answerOf(run.client.Resolve(ctx, r.Model, r.Range, prereleases))
	case "listVersions":
		begin(run, run.client.ListVersions(ctx, parse(r.Request, &stelev1.ListVersionsRequest{})))
		return answer{}
	case "listModels":
		begin(run, run.client.ListModels(ctx, parse(r.Request, &stelev1.ListModelsRequest{})))
		return answer{}
	case "take":
		return run.take(r.Count)
	case "digest":
		return answer{"answer": must(stele.Digest(parse(r.Record, &stelev1.ModelVersion{})))}
	}
	panic("unknown request: " + r.Do)
}

func (run *runner) connect(r request) answer {
	run.stop()
	if run.client != nil {
		must(0, run.client.Close())
		run.client = nil
	}
	client, err := stele.New(r.Address, optionsOf(r)...)
	if err != nil {
		return answer{"error": answer{"type": "Configuration", "message": err.Error()}}
	}
	run.client = client
	return answer{}
}

func optionsOf(r request) []stele.Option {
	var options []stele.Option
	if r.Plaintext {
		options = append(options, stele.WithPlaintext())
	}
	if r.CAFile != "" || r.CertificateFile != "" {
		options = append(options, stele.WithTLS(tlsOf(r)))
	}
	if r.Token != "" {
		options = append(options, stele.WithToken(r.Token))
	}
	if r.TimeoutMs != 0 {
		options = append(options, stele.WithTimeout(time.Duration(r.TimeoutMs)*time.Millisecond))
	}
	return options
}

func tlsOf(r request) *tls.Config {
	config := &tls.Config{}
	if r.CAFile != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(r.CAFile)))
	}
	if r.CertificateFile != "" {
		config.Certificates = []tls.Certificate{must(tls.LoadX509KeyPair(r.CertificateFile, r.KeyFile))}
	}
	return config
}

func begin[Item proto.Message](run *runner, items iter.Seq2[Item, error]) {
	run.stop()
	run.next, run.stop = iter.Pull2(func(yield func(proto.Message, error) bool) {
		for item, err := range items {
			if !yield(item, err) {
				return
			}
		}
	})
}

func (run *runner) take(count *int) answer {
	items := []json.RawMessage{}
	for count == nil || len(items) < *count {
		item, err, more := run.next()
		if !more {
			return answer{"answer": items, "done": true}
		}
		if err != nil {
			return answer{"answer": items, "done": true, "error": errorOf(err)}
		}
		items = append(items, must(protojson.Marshal(item)))
	}
	return answer{"answer": items, "done": false}
}

func answerOf(version *stelev1.ModelVersion, err error) answer {
	if err != nil {
		return answer{"error": errorOf(err)}
	}
	return answer{"answer": json.RawMessage(must(protojson.Marshal(version)))}
}

func errorOf(err error) answer {
	var (
		general  *stele.Error
		taken    *stele.VersionAlreadyExistsError
		notFound *stele.NotFoundError
		invalid  *stele.InvalidArgumentError
	)
	if !errors.As(err, &general) {
		log.Fatalf("not an error of the client: %v", err)
	}
	told := answer{
		"type": "RegistryError", "code": code.Code(general.Code).String(), "reason": general.Reason,
		"message": general.Message, "metadata": map[string]string{},
	}
	if general.Metadata != nil {
		told["metadata"] = general.Metadata
	}
	switch {
	case errors.As(err, &taken):
		tell(told, "VersionAlreadyExists", map[string]string{
			"model": taken.Model, "version": taken.Version,
			"existingVersion": taken.ExistingVersion, "existingDigest": taken.ExistingDigest,
		})
		if !taken.RegisteredAt.IsZero() {
			told["registeredAt"] = taken.RegisteredAt.Format("2006-01-02T15:04:05.000Z07:00")
		}
		if taken.Identical != nil {
			told["identical"] = *taken.Identical
		}
	case errors.As(err, &notFound):
		tell(told, "NotFound", map[string]string{
			"model": notFound.Model, "version": notFound.Version, "range": notFound.Range,
			"nearestBelow": notFound.NearestBelow, "nearestAbove": notFound.NearestAbove,
			"nearestPrerelease": notFound.NearestPrerelease,
		})
	case errors.As(err, &invalid):
		violations := []answer{}
		for _, each := range invalid.Violations {
			violations = append(violations, answer{"field": each.Field, "description": each.Description})
		}
		tell(told, "InvalidArgument", nil)
		told["violations"], told["violationsOmitted"] = violations, invalid.ViolationsOmitted
	}
	return told
}

func tell(told answer, name string, texts map[string]string) {
	told["type"] = name
	for member, text := range texts {
		if text != "" {
			told[member] = text
		}
	}
}

func parse[Message proto.Message](text json.RawMessage, message Message) Message {
	must(0, protojson.Unmarshal(text, message))
	return message
}

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}
