package goexectracereceiver

import (
	"context"
	"errors"

	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/receiverhelper"
	"go.opentelemetry.io/collector/receiver/receiverhelper/xreceiverhelper"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// format is what the receiver takes, in its own telemetry.
const format = "go_execution_trace"

// source is where a dump comes from.
type source string

const (
	fromFile source = "file"
	fromHTTP source = "http"
	fromPull source = "pull"
)

// outcome is what became of a dump.
type outcome string

const (
	converted outcome = "converted"
	damaged   outcome = "damaged" // what is readable was converted
	foreign   outcome = "foreign" // it is no trace that can be read
	refused   outcome = "refused" // for good, by a pipeline: all of it or a part
	failed    outcome = "failed"  // for now
)

// telemetry is the receiver's own.
type telemetry struct {
	reports  map[source]*receiverhelper.ObsReport
	profiles map[source]*xreceiverhelper.ObsReport
	dumps    metric.Int64Counter
	bytes    metric.Int64Counter
}

func newTelemetry(set receiver.Settings) (*telemetry, error) {
	t := &telemetry{reports: make(map[source]*receiverhelper.ObsReport), profiles: make(map[source]*xreceiverhelper.ObsReport)}
	for _, from := range []source{fromFile, fromHTTP, fromPull} {
		s := receiverhelper.ObsReportSettings{
			ReceiverID: set.ID, Transport: string(from), LongLivedCtx: from != fromHTTP, ReceiverCreateSettings: set,
		}
		var err, err2 error
		t.reports[from], err = receiverhelper.NewObsReport(s)
		t.profiles[from], err2 = xreceiverhelper.NewObsReport(s)
		if err := errors.Join(err, err2); err != nil {
			return nil, err
		}
	}
	meter := set.MeterProvider.Meter("github.com/trace2x/trace2x/collector/goexectracereceiver")
	var err error
	t.dumps, err = meter.Int64Counter("otelcol_receiver_go_execution_trace_dumps",
		metric.WithDescription("Dumps by source and outcome."), metric.WithUnit("{dump}"))
	if err != nil {
		return nil, err
	}
	t.bytes, err = meter.Int64Counter("otelcol_receiver_go_execution_trace_bytes",
		metric.WithDescription("Size of the dumps that were read."), metric.WithUnit("By"))
	return t, err
}

// dump counts a dump.
func (t *telemetry) dump(ctx context.Context, from source, o outcome, size int64) {
	as := metric.WithAttributes(attribute.String("source", string(from)), attribute.String("outcome", string(o)))
	t.dumps.Add(ctx, 1, as)
	t.bytes.Add(ctx, size, as)
}
