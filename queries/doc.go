// Package queries is a folder of PerfettoSQL queries about the goroutines in the
// traces that trace2x writes: *.sql, each with a comment on what it answers and how
// to read it. The package has no code but its tests, which run the queries in
// Perfetto's trace processor and compare the answers with package model.
package queries
