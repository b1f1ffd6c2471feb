package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/pprofile"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/internal/input"
)

// sendNotes reports why sending does not go on. It prints each reason once.
type sendNotes struct {
	e    *env
	mu   sync.Mutex
	last string // the last reason that was printed
	// gaveUp says that nothing more can be sent or written.
	gaveUp bool
}

// retry reports a try that failed.
func (n *sendNotes) retry(err error, _ time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if reason := err.Error(); reason != n.last {
		n.last = reason
		fmt.Fprintf(n.e.stderr, "trace2x: %s; trying again\n", reason)
	}
}

// ended reports what had been sent of a signal when sending ended before the trace did.
func (n *sendNotes) ended(ctx context.Context, in *input.Input, o *outlet, total int) error {
	one := strings.TrimSuffix(o.Items, "s")
	sent := "no " + one + " was accepted"
	if a := o.result.Accepted; a > 0 {
		sent = english.Sprintf("%d %s were accepted before", a, o.Items)
		if total > 0 {
			sent = english.Sprintf("%d of %d %s were accepted before", a, total, o.Items)
		}
		if o.Signal == otel.Traces {
			sent += "; to send all of them again does not double any"
		}
	}
	what := in.Name
	if o.Signal != otel.Traces {
		what = o.Name + " of " + in.Name
	}
	if ctx.Err() != nil {
		fmt.Fprintf(n.e.stderr, "trace2x: interrupted while sending %s to %s: %s\n", what, o.target, sent)
		return errors.Join(errTold, ctx.Err())
	}
	reason := o.rejected.Reason()
	if n.last != "" { // the reason was printed
		reason = strings.TrimPrefix(reason, n.last)
	}
	reason = strings.TrimSpace(reason)
	if reason != "" && reason[0] != '(' {
		reason = ": " + reason
	} else if reason != "" {
		reason = " " + reason
	}
	hint := ""
	if errors.Is(o.rejected, otlpclient.ErrUnreachable) {
		hint = "; --wait 1m waits for a backend that is starting"
	}
	fmt.Fprintf(n.e.stderr, "trace2x: gave up sending %s to %s%s: %s%s\n", what, o.target, reason, sent, hint)
	return errTold
}

// describeSpans says which spans there are.
func describeSpans(r *otel.Report) string {
	var kinds []string
	for _, k := range []string{"task", "region", "goroutine", "state", "critical", "gc", "program"} {
		if n := r.Spans[k]; n > 0 {
			kinds = append(kinds, english.Sprintf("%d %s", n, k))
		}
	}
	what := plural(r.Traces, "trace")
	switch {
	case r.Linked > 0 && r.Traces > 0:
		what = plural(r.Linked, "linked span") + " and " + what
	case r.Linked > 0:
		what = plural(r.Linked, "linked span")
	}
	what += " with " + plural(r.Total(), "span")
	if len(kinds) > 0 {
		what += " (" + strings.Join(kinds, ", ") + ")"
	}
	return what
}

// describeMetrics says which metrics there are.
func describeMetrics(m pmetric.Metrics) string {
	return plural(m.MetricCount(), "metric") + " with " + plural(m.DataPointCount(), "data point")
}

// profileCounts counts what profiles have.
type profileCounts struct {
	profiles, samples, linked int
}

func (c *profileCounts) add(p pprofile.Profiles) {
	c.profiles += p.ProfileCount()
	for _, rp := range p.ResourceProfiles().All() {
		for _, sp := range rp.ScopeProfiles().All() {
			for _, pr := range sp.Profiles().All() {
				for _, s := range pr.Samples().All() {
					c.samples++
					if s.LinkIndex() != 0 {
						c.linked++
					}
				}
			}
		}
	}
}

func (c *profileCounts) String() string {
	return plural(c.profiles, "profile") + " with " + plural(c.samples, "sample") + english.Sprintf(", %d of them linked to spans", c.linked)
}

// reportSignals reports what became of the signals.
func (e *env) reportSignals(ctx context.Context, in *input.Input, x *export, opts *otel.Options, notes *sendNotes) {
	for _, o := range x.outlets {
		fmt.Fprintln(e.stderr, o.what)
		if o.Signal == otel.Traces {
			e.reportLeftOut(x.spans, opts)
		}
		switch {
		case o.target == "":
		case o.gaveUp():
			notes.ended(ctx, in, o, 0)
		default:
			e.reportResult(o)
		}
	}
	if x.outlets[0].target == "" {
		fmt.Fprintln(e.stderr, "nothing was sent")
	}
}

// reportLeftOut reports which spans there are not.
func (e *env) reportLeftOut(r *otel.Report, opts *otel.Options) {
	if r.Filtered > 0 {
		english.Fprintf(e.stderr, "%d root tasks were not asked for\n", r.Filtered)
	}
	if r.LeftOut > 0 {
		english.Fprintf(e.stderr, "warning: not complete: %d more spans, the shortest of their traces off the critical paths, are missing because of %s\n", r.LeftOut, limitsOf(opts))
	}
}

// reportResult reports what a backend accepted, or a file has.
func (e *env) reportResult(o *outlet) {
	fmt.Fprint(e.stderr, english.Sprintf("%s: %d %s accepted, %d rejected", o.target, o.result.Accepted, o.Items, o.result.Rejected))
	reasons := slices.Sorted(maps.Keys(o.result.Reasons))
	if len(reasons) == 1 {
		fmt.Fprintf(e.stderr, ": %s\n", reasons[0])
	} else {
		fmt.Fprintln(e.stderr)
		for _, reason := range reasons {
			english.Fprintf(e.stderr, "  %d rejected: %s\n", o.result.Reasons[reason], reason)
		}
	}
	for _, w := range o.result.Warnings {
		fmt.Fprintf(e.stderr, "warning: the backend says: %s\n", w)
	}
}

// limitsOf returns the names of the limits that leave out spans.
func limitsOf(opts *otel.Options) string {
	var limits []string
	if n := opts.MaxSpansPerTrace; n > 0 {
		limits = append(limits, fmt.Sprintf("--max-spans-per-trace %d", n))
	}
	if n := opts.MaxBytesPerTrace; n > 0 {
		limits = append(limits, fmt.Sprintf("--max-bytes-per-trace %d", n))
	}
	return strings.Join(limits, " or ")
}
