// Package metrics turns a Go execution trace into OpenTelemetry metrics: scheduler
// latency, the cost of the GC, what goroutines and Ps spent their time on, and the
// latencies of tasks and regions.
//
// A [Collector] is a [model.Sink]. When the trace has ended, [Collector.Metrics] returns
// one data point for each time series, for the whole trace or window. Sums and
// distributions are deltas over that time; what has a value at a moment, such as the
// number of goroutines, has the value at its end. docs/otlp.md lists them.
//
// Package report decides what is added up, so the sums are those of trace2x summary.
// This package decides how they are called, and counts durations in exponential
// histograms. Memory grows with what is alive, and with the number of types of tasks and
// regions, up to [MaxTypes].
package metrics
