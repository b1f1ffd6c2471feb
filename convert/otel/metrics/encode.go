package metrics

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/trace2x/trace2x/internal/wire"
)

// encoder makes the messages. All data points have the same times.
type encoder struct {
	to         pmetric.MetricSlice
	start, end pcommon.Timestamp
}

func (e *encoder) add(name, unit, description string) pmetric.Metric {
	m := e.to.AppendEmpty()
	m.SetName(name)
	m.SetUnit(unit)
	m.SetDescription(description)
	return m
}

// current adds a metric that has a value at the end of the trace. It may become less.
func (e *encoder) current(name, unit, description string) points {
	s := e.add(name, unit, description).SetEmptySum()
	s.SetAggregationTemporality(pmetric.AggregationTemporalityCumulative)
	return points{e, s.DataPoints()}
}

// sum adds a metric that counts up, with what the trace adds to it.
func (e *encoder) sum(name, unit, description string) points {
	s := e.add(name, unit, description).SetEmptySum()
	s.SetIsMonotonic(true)
	s.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	return points{e, s.DataPoints()}
}

// points are the data points of a sum.
type points struct {
	*encoder
	to pmetric.NumberDataPointSlice
}

func (p points) add(attributes []string) pmetric.NumberDataPoint {
	d := p.to.AppendEmpty()
	d.SetStartTimestamp(p.start)
	d.SetTimestamp(p.end)
	put(d.Attributes(), attributes)
	return d
}

// count adds a number, with attributes: each a key and a value.
func (p points) count(n int64, attributes ...string) { p.add(attributes).SetIntValue(n) }

// time adds a time, in seconds.
func (p points) time(d time.Duration, attributes ...string) {
	p.add(attributes).SetDoubleValue(d.Seconds())
}

// histogram adds a metric that is distributions of durations.
func (e *encoder) histogram(name, description string) distributions {
	h := e.add(name, "s", description).SetEmptyExponentialHistogram()
	h.SetAggregationTemporality(pmetric.AggregationTemporalityDelta)
	return distributions{e, h.DataPoints()}
}

// distributions are the data points of a histogram.
type distributions struct {
	*encoder
	to pmetric.ExponentialHistogramDataPointSlice
}

func (h distributions) add(x *exponential, attributes ...string) pmetric.ExponentialHistogramDataPoint {
	d := h.to.AppendEmpty()
	d.SetStartTimestamp(h.start)
	d.SetTimestamp(h.end)
	put(d.Attributes(), attributes)
	x.put(d)
	return d
}

func put(to pcommon.Map, attributes []string) {
	for i := 0; i < len(attributes); i += 2 {
		to.PutStr(attributes[i], wire.Text(attributes[i+1]))
	}
}
