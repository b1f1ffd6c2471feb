package goexectracereceiver

import (
	"cmp"
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pprofile"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/metrics"
)

// pipeline is a client of package otel that hands the spans of a dump to the pipelines
// of traces. An Export lasts until they have accepted or refused the spans, so that the
// dump is read no faster.
type pipeline struct {
	d *dumps
	x *dump

	mu  sync.Mutex
	err error // why the dump is not accepted for now
}

var _ otel.Client = (*pipeline)(nil)

// Export implements [otel.Client].
func (p *pipeline) Export(ctx context.Context, request []byte) (otel.Answer, error) {
	data, err := new(ptrace.ProtoUnmarshaler).UnmarshalTraces(request)
	if err != nil {
		return otel.Answer{}, err
	}
	n := data.SpanCount()
	first := true
	err = p.d.retried(ctx, p.x, "spans", func() error {
		if !first { // the pipeline may have changed what it refused
			if data, err = new(ptrace.ProtoUnmarshaler).UnmarshalTraces(request); err != nil {
				return consumererror.NewPermanent(err)
			}
		}
		first = false
		report := p.d.telemetry.reports[p.x.from]
		op := report.StartTracesOp(ctx)
		err := p.d.nextTraces.ConsumeTraces(op, data)
		report.EndTracesOp(op, format, n, err)
		return err
	})
	switch {
	case err == nil:
		return otel.Answer{}, nil
	case consumererror.IsPermanent(err):
		return otel.Answer{Rejected: int64(n), Message: err.Error()}, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = errors.Join(p.err, err)
	return otel.Answer{}, &otel.SendError{Cause: otel.Unusable, Reason: "not accepted for now", Err: err}
}

// Close implements [otel.Client].
func (p *pipeline) Close() error { return nil }

// later returns why the dump is not accepted for now, nil if it is.
func (p *pipeline) later() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// sendMetrics hands the metrics of a dump that was read to the pipelines.
func (d *dumps) sendMetrics(ctx context.Context, x *dump, sums *metrics.Collector) error {
	return d.retried(ctx, x, "metrics", func() error {
		data := sums.Metrics()
		n := data.DataPointCount()
		report := d.telemetry.reports[x.from]
		op := report.StartMetricsOp(ctx)
		err := d.nextMetrics.ConsumeMetrics(op, data)
		report.EndMetricsOp(op, format, n, err)
		return err
	})
}

// profilesOut hands the profiles of a dump to the pipelines, while the dump is read.
type profilesOut struct {
	d       *dumps
	ctx     context.Context
	x       *dump
	refused error // the first refusal for good
	later   error // why the dump is not accepted for now
}

// send returns nil also for what is refused for good: the rest may be accepted.
func (o *profilesOut) send(data pprofile.Profiles) error {
	n := data.SampleCount()
	err := o.d.retried(o.ctx, o.x, "profiles", func() error {
		try := pprofile.NewProfiles() // the pipeline may change what it refuses
		data.CopyTo(try)
		report := o.d.telemetry.profiles[o.x.from]
		op := report.StartProfilesOp(o.ctx)
		err := o.d.nextProfiles.ConsumeProfiles(op, try)
		report.EndProfilesOp(op, format, n, err)
		return err
	})
	if consumererror.IsPermanent(err) {
		o.refused = cmp.Or(o.refused, err)
		return nil
	}
	o.later = err
	return err
}
