package goexectracereceiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/otel/attribute"
	"go.uber.org/zap"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/metrics"
	"github.com/trace2x/trace2x/convert/otel/profiles"
	"github.com/trace2x/trace2x/model"
)

// dump is a dump that is about to be read.
type dump struct {
	from source
	name string // for messages
	size int64
	data io.Reader
	info metadata
	// patient says that what a pipeline refuses for now is tried again, until the
	// receiver ends. Else somebody else tries the whole dump again.
	patient bool
}

// errLater is wrapped by errors about dumps that may be accepted later.
var errLater = errors.New("not accepted for now")

// result is what became of a dump that is done.
type result struct {
	outcome outcome
	spans   int64
	err     error // what was wrong with it, nil for nothing
}

// take reads a dump and gives it to the pipelines. The error is nil if it is done: there
// is no sense in reading it again. Else it wraps errLater, or is the error of ctx.
func (d *dumps) take(ctx context.Context, x *dump) (result, error) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return result{}, context.Cause(ctx)
	}
	start := time.Now()
	res, err := d.convert(ctx, x)
	if err != nil {
		d.telemetry.dump(ctx, x.from, failed, x.size)
		return res, err
	}
	d.telemetry.dump(ctx, x.from, res.outcome, x.size)
	fields := []zap.Field{
		zap.String("dump", x.name), zap.String("outcome", string(res.outcome)), zap.Int64("bytes", x.size),
		zap.Int64("spans", res.spans), zap.Duration("took", time.Since(start)),
	}
	switch {
	case res.outcome == converted:
		d.log.Info("Dump converted", fields...)
	default:
		d.log.Warn("Dump not converted whole", append(fields, zap.Error(res.err))...)
	}
	return res, nil
}

// convert is take without its turn: one pass over the dump, whatever the pipelines are.
func (d *dumps) convert(ctx context.Context, x *dump) (res result, err error) {
	resource := d.resource(x.info)
	var sinks []model.Sink
	var spans *otel.Converter
	client := &pipeline{d: d, x: x}
	if d.nextTraces != nil {
		opts := d.spanOptions()
		if d.cfg.Spans.SlowTraceOnly {
			opts.TraceID = x.info.traceID()
		}
		opts.Resource, opts.WallStart = resource, x.info.began()
		opts.ProfileIDs = d.nextProfiles != nil
		spans = otel.NewConverter(ctx, client, opts)
		sinks = append(sinks, spans)
	}
	var sums *metrics.Collector
	if d.nextMetrics != nil {
		sums = metrics.New(metrics.Options{Resource: resource, WallStart: x.info.began(), Version: version()})
		sinks = append(sinks, sums)
	}
	out := &profilesOut{d: d, ctx: ctx, x: x}
	if d.nextProfiles != nil {
		sinks = append(sinks, profiles.New(profiles.Options{
			OwnSpans: d.nextTraces != nil, Resource: resource, WallStart: x.info.began(), Version: version(),
		}, out.send))
	}

	read, readErr := model.Read(ctx, x.data, model.Tee(sinks...))
	if spans != nil {
		var report *otel.Report
		if report, readErr = spans.Close(read, readErr); report != nil {
			res.spans = report.Result.Accepted
		}
	}
	switch later := cmp.Or(client.later(), out.later); {
	case ctx.Err() != nil:
		return res, context.Cause(ctx)
	case later != nil:
		return res, later
	}

	res.outcome, res.err = converted, readErr
	switch {
	case errors.As(readErr, new(*otel.RejectedError)), out.refused != nil:
		res.outcome, res.err = refused, errors.Join(readErr, out.refused)
	case read == nil:
		res.outcome = foreign
	case readErr != nil:
		res.outcome = damaged
	}
	if sums != nil && read != nil {
		if err := d.sendMetrics(ctx, x, sums); err != nil {
			if !consumererror.IsPermanent(err) {
				return res, err
			}
			res.outcome, res.err = refused, errors.Join(res.err, err)
		}
	}
	return res, nil
}

// spanOptions returns what becomes spans.
func (d *dumps) spanOptions() otel.Options {
	s := &d.cfg.Spans
	opts := otel.Options{
		MinSpan: s.MinSpan, MinTask: s.MinTask, CriticalPath: s.CriticalPath,
		MaxSpansPerTrace: s.MaxSpansPerTrace, MaxBytesPerTrace: s.MaxBytesPerTrace,
		Version: version(),
	}
	opts.Detail, _ = otel.ParseDetail(s.Detail)
	return opts
}

// resource returns the attributes of the program of a dump: what the dump tells, and of
// the rest what is configured.
func (d *dumps) resource(m metadata) (attrs []attribute.KeyValue) {
	told := make(map[string]any)
	for _, from := range []map[string]any{{"service.name": "unknown_service:go"}, d.cfg.Resource, m.configured, m.Resource} {
		for k, v := range from {
			told[k] = v
		}
	}
	return attributes(told)
}

// retried calls f until it does not fail for now: again and again if the dump is
// patient, and else once. An error that is not permanent wraps errLater, or is the
// error of ctx.
func (d *dumps) retried(ctx context.Context, x *dump, what string, f func() error) error {
	for pause := d.cfg.RetryInitial; ; pause = min(2*pause, d.cfg.RetryMax) {
		err := f()
		switch {
		case err == nil, consumererror.IsPermanent(err):
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !x.patient:
			return fmt.Errorf("%w: %w", errLater, err)
		}
		d.log.Warn("A pipeline does not accept "+what+" now: trying again", zap.String("dump", x.name), zap.Duration("in", pause), zap.Error(err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
