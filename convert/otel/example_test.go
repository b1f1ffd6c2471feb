package otel_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"os"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"github.com/trace2x/trace2x/convert/otel"
)

func ExampleConvert() {
	in, err := os.Open("../../testdata/traces/states.trace")
	if err != nil {
		log.Fatal(err)
	}
	defer in.Close()
	opts := otel.DefaultOptions()
	opts.Resource = []*commonpb.KeyValue{otel.StringAttribute("service.name", "example")}
	var out bytes.Buffer
	// NewClient makes one that sends to a backend.
	report, err := otel.Convert(context.Background(), in, otel.NewFileClient(&out), opts)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Traces, "traces,", report.Spans["region"], "regions,", report.Result.Rejected, "rejected")
	// Output: 2 traces, 4 regions, 0 rejected
}
