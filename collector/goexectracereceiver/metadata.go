package goexectracereceiver

import (
	"encoding/hex"
	"encoding/json"
	"maps"
	"math"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
)

// metadataHeader has what package recorder tells of a dump that it posts.
const metadataHeader = "Trace2x-Metadata"

// maxMetadata is the most that metadata may take, in bytes.
const maxMetadata = 64 << 10

// metadata is what is known of a dump beside it: from package recorder, mostly.
type metadata struct {
	Resource map[string]any `json:"resource"`
	Reason   string         `json:"reason"`
	Time     time.Time      `json:"time"`
	TraceID  string         `json:"trace_id"`

	configured map[string]any // likewise for this source
}

// parseMetadata reads the JSON that package recorder writes.
func parseMetadata(text []byte) (m metadata, err error) {
	err = json.Unmarshal(text, &m)
	return m, err
}

// began returns about when the trace began, for traces of Go 1.24 and earlier, which do
// not tell. The zero time means that nobody knows.
func (m *metadata) began() time.Time { return m.Time }

// traceID returns the distributed trace of the slow span that made the dump; zeros for
// none.
func (m *metadata) traceID() (id [16]byte) {
	if b, err := hex.DecodeString(m.TraceID); err == nil && len(b) == len(id) {
		copy(id[:], b)
	}
	return id
}

// attributes returns the attributes that are in JSON or YAML, by their keys. What
// OpenTelemetry has no type for is left out.
func attributes(values map[string]any) (attrs []attribute.KeyValue) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		key := attribute.Key(k)
		switch v := values[k].(type) {
		case string:
			attrs = append(attrs, key.String(v))
		case bool:
			attrs = append(attrs, key.Bool(v))
		case int:
			attrs = append(attrs, key.Int(v))
		case int64:
			attrs = append(attrs, key.Int64(v))
		case float64:
			if v == math.Trunc(v) && math.Abs(v) < 1<<53 { // JSON has one type of numbers
				attrs = append(attrs, key.Int64(int64(v)))
			} else {
				attrs = append(attrs, key.Float64(v))
			}
		case []any:
			var list []string
			for _, x := range v {
				s, ok := x.(string)
				if !ok {
					list = nil
					break
				}
				list = append(list, s)
			}
			if list != nil {
				attrs = append(attrs, key.StringSlice(list))
			}
		}
	}
	return attrs
}
