package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/metrics"
	"github.com/trace2x/trace2x/convert/otel/profiles"
	"github.com/trace2x/trace2x/model"
)

// allSignals are what trace2x otel can send, in the order in which it does.
var allSignals = []*otel.Signal{otel.Traces, metrics.Signal, profiles.Signal}

// parseSignals returns the signals with these names, in their order.
func parseSignals(names []string) (signals []*otel.Signal, err error) {
	if len(names) == 0 {
		names = []string{""} // as of --signal ""
	}
	for _, name := range names {
		if !slices.ContainsFunc(allSignals, func(s *otel.Signal) bool { return s.Name == name }) {
			return nil, badValue("--signal", strings.Join(names, ","), "traces, metrics, profiles, or several of them with commas", "traces,profiles")
		}
	}
	for _, s := range allSignals {
		if slices.Contains(names, s.Name) {
			signals = append(signals, s)
		}
	}
	return signals, nil
}

// outlet is a signal of a trace on its way to a client, or one that is only counted.
type outlet struct {
	*otel.Signal
	model.Sink
	target string // "" if nothing is sent
	// finish sends what is left when the trace has ended: sum is nil if nothing could be
	// read.
	finish func(sum *model.Summary) (otel.Result, error)

	// What became of it, after finish.
	result   otel.Result
	err      error
	rejected *otel.RejectedError // in err; nil if nothing was rejected
	what     string              // there is
}

func (o *outlet) close(sum *model.Summary) {
	o.result, o.err = o.finish(sum)
	errors.As(o.err, &o.rejected)
}

func (o *outlet) gaveUp() bool { return o.rejected != nil && o.rejected.GaveUp }

// export is the signals of a trace, from one reading.
type export struct {
	outlets []*outlet
	spans   *otel.Report // nil if there are none
	found   func() model.Found
	clock   clock
}

// clock notes whether a trace tells the time of day, which it hands on.
type clock struct {
	model.Sink
	told bool
}

func (c *clock) Sync(s *model.Sync) {
	c.told = c.told || s.Clock != nil
	c.Sink.Sync(s)
}

// clientOf makes the client of a signal, and says how people call it. The client is nil
// if nothing is sent.
type clientOf func(*otel.Signal) (c otel.Client, target string)

// newExport begins the export of a trace.
func newExport(ctx context.Context, signals []*otel.Signal, opts otel.Options, client clientOf, toFile bool) *export {
	x := &export{found: func() model.Found { return model.Found{} }}
	drain := func() {}
	for _, s := range signals {
		o := &outlet{Signal: s}
		c, target := client(s)
		o.target = target
		sender := newSender(ctx, c, s)
		switch s {
		case otel.Traces:
			spans := otel.NewConverter(ctx, c, opts)
			if toFile {
				drain = spans.Drain // so that lines always come in the same order
			}
			o.Sink = spans.Sink // without the methods of the converter in between
			o.finish = func(sum *model.Summary) (otel.Result, error) {
				rep, err := spans.Close(sum, nil)
				if rep == nil {
					return otel.Result{}, err
				}
				x.spans, o.what = rep, describeSpans(rep)
				return rep.Result, err
			}
			x.found = func() model.Found { return x.spans.Found }
		case metrics.Signal:
			m := metrics.New(metrics.Options{WallStart: opts.WallStart, Resource: opts.Resource, Version: opts.Version})
			o.Sink = m
			o.finish = func(sum *model.Summary) (otel.Result, error) {
				if sum != nil {
					data := m.Metrics()
					o.what = describeMetrics(data)
					sender.send(data.DataPointCount(), func() ([]byte, error) { return new(pmetric.ProtoMarshaler).MarshalMetrics(data) })
				}
				return sender.Close()
			}
		case profiles.Signal:
			var counts profileCounts
			po := profiles.Options{
				Selection: opts.Selection, OwnSpans: slices.Contains(signals, otel.Traces),
				WallStart: opts.WallStart, Resource: opts.Resource, Version: opts.Version,
			}
			if toFile {
				po.MaxSamples = maxFileSamples
			}
			p := profiles.New(po, func(data pprofile.Profiles) error {
				counts.add(data)
				drain()
				sender.send(data.ProfileCount(), func() ([]byte, error) { return new(pprofile.ProtoMarshaler).MarshalProfiles(data) })
				return sender.Err()
			})
			o.Sink = p
			o.finish = func(*model.Summary) (otel.Result, error) {
				o.what = counts.String()
				return sender.Close()
			}
			if len(x.outlets) == 0 {
				x.found = p.Found
			}
		}
		x.outlets = append(x.outlets, o)
	}
	return x
}

// maxFileSamples is the most samples of a line, with which it stays below the megabyte
// that the Collector's otlpjsonfile receiver takes.
const maxFileSamples = 5000

// sink returns what the trace is read into. It fails when all outlets have: as long as one
// takes something, the others do not matter.
func (x *export) sink() model.Sink {
	sinks := make([]model.Sink, len(x.outlets))
	for i, o := range x.outlets {
		sinks[i] = o.Sink
	}
	x.clock.Sink = sinks[0]
	if len(sinks) > 1 {
		x.clock.Sink = together{model.Tee(sinks...), sinks}
	}
	return &x.clock
}

type together struct {
	model.Sink
	sinks []model.Sink
}

func (t together) Err() (first error) {
	for _, s := range t.sinks {
		err := s.Err()
		if err == nil {
			return nil
		}
		if first == nil {
			first = err
		}
	}
	return first
}

// close sends what is left of all signals. sum and err are what the reading returned. If
// it ended because sending did, there is a summary all the same.
func (x *export) close(sum *model.Summary, err error) (*model.Summary, error) {
	for _, o := range x.outlets {
		o.close(sum)
	}
	if sum == nil && x.spans != nil {
		sum, err = x.spans.Trace, nil
	}
	return sum, err
}

// total returns how many items there are of a signal, 0 if that is not known.
func (x *export) total(o *outlet) int {
	if o.Signal == otel.Traces && x.spans != nil {
		return x.spans.Total()
	}
	return 0
}

// sendErr returns the errors of sending.
func (x *export) sendErr() error {
	var errs []error
	for _, o := range x.outlets {
		errs = append(errs, o.err)
	}
	return errors.Join(errs...)
}

// rejected reports whether anything was rejected.
func (x *export) rejected() bool {
	return slices.ContainsFunc(x.outlets, func(o *outlet) bool { return o.result.Rejected > 0 })
}

// allGaveUp reports whether no signal could be sent to its end.
func (x *export) allGaveUp() bool {
	return !slices.ContainsFunc(x.outlets, func(o *outlet) bool { return !o.gaveUp() })
}

// sender sends the requests of a signal other than traces. Its methods do nothing if
// nothing is sent.
type sender struct{ *otel.Sender }

func newSender(ctx context.Context, c otel.Client, s *otel.Signal) sender {
	if c == nil || s == otel.Traces {
		return sender{}
	}
	return sender{otel.NewSender(ctx, c, s)}
}

func (s sender) send(n int, encode func() ([]byte, error)) {
	if s.Sender == nil {
		return
	}
	request, err := encode()
	if err != nil {
		s.Fail(n, err)
		return
	}
	s.Send(request, n)
}

func (s sender) Err() error {
	if s.Sender == nil {
		return nil
	}
	return s.Sender.Err()
}

func (s sender) Close() (otel.Result, error) {
	if s.Sender == nil {
		return otel.Result{}, nil
	}
	return s.Sender.Close()
}
