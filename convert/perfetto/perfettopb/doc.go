// Package perfettopb has the messages of Perfetto's trace format that trace2x
// writes, generated from perfetto.proto. The converter builds its rare packets
// with them, and tests decode its output with them. Frequent packets are appended by
// hand (see package perfetto).
package perfettopb

//go:generate protoc --go_out=. --go_opt=paths=source_relative perfetto.proto
