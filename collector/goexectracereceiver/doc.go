// Package goexectracereceiver is a receiver of the OpenTelemetry Collector that takes
// execution traces of Go programs (dumps of the flight recorder, mostly) from folders,
// over HTTP and from /debug/pprof/trace. Each is read once, and becomes traces, metrics
// and profiles, whatever pipelines the receiver is in.
//
// A dump is done when the pipelines have accepted all of it: then the checkpoint of its
// file is written, or its upload is answered. Data is taken from a dump only as fast as
// the pipelines take it. What they refuse for now is tried again; what they refuse for
// good is counted and said.
//
// The package decides where dumps come from and what becomes of them. What they mean is
// decided in packages model and convert/otel.
package goexectracereceiver
