package otel_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	"go.opentelemetry.io/otel/attribute"

	"github.com/trace2x/trace2x/convert/otel"
)

func ExampleConvert() {
	in, err := os.Open("../../testdata/traces/states.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	opts := otel.DefaultOptions()
	opts.Resource = []attribute.KeyValue{attribute.String("service.name", "example")}
	var out bytes.Buffer
	// otlpclient.New returns a client that sends to a backend.
	report, err := otel.Convert(context.Background(), in, otel.NewFileClient(&out, otel.Traces), opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Traces, "traces,", report.Spans["region"], "regions,", report.Result.Rejected, "rejected")
	// Output: 2 traces, 4 regions, 0 rejected
}
