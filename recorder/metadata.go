package recorder

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// MetadataHeader is the header that has the [Metadata] of a dump that is sent over HTTP,
// as JSON in ASCII.
const MetadataHeader = "Trace2x-Metadata"

// Metadata says where a dump is from and why it was made.
type Metadata struct {
	// Resource are the attributes of the program, such as service.name and
	// service.instance.id: strings, booleans, numbers and lists of one of them.
	Resource map[string]any `json:"resource,omitempty"`
	Reason   string         `json:"reason,omitempty"`
	Time     time.Time      `json:"time"`
	// The slow span that made the dump, if one did. The IDs are in hex.
	TraceID      string `json:"trace_id,omitempty"`
	SpanID       string `json:"span_id,omitempty"`
	Span         string `json:"span,omitempty"`
	SpanDuration int64  `json:"span_duration_ns,omitempty"`
}

// metadata returns that of a dump that is made now.
func (r *Recorder) metadata(reason string, now time.Time) *Metadata {
	m := &Metadata{Reason: reason, Time: now.UTC()}
	if res := r.resource.Load(); res != nil && res.Len() > 0 {
		m.Resource = make(map[string]any, res.Len())
		for _, kv := range res.Attributes() {
			if kv.Value.Type() != attribute.INVALID {
				m.Resource[string(kv.Key)] = kv.Value.AsInterface()
			}
		}
	}
	return m
}

// json returns the metadata as JSON in ASCII, on one line.
func (m *Metadata) json() string {
	data, err := json.Marshal(m)
	if err != nil { // a number that is not one
		data, _ = json.Marshal(&Metadata{Reason: m.Reason, Time: m.Time, TraceID: m.TraceID, SpanID: m.SpanID, Span: m.Span, SpanDuration: m.SpanDuration})
	}
	var b strings.Builder
	for _, c := range string(data) {
		switch {
		case c < 0x7f:
			b.WriteRune(c)
		case c <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		}
	}
	return b.String()
}
