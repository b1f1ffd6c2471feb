package metrics

import (
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/trace2x/trace2x/convert/otel"
)

// Signal is the signal of [Collector.Metrics]. Its requests are metrics as
// pmetric.ProtoMarshaler encodes them.
var Signal = &otel.Signal{
	Name:          "metrics",
	Items:         "data points",
	Path:          "/v1/metrics",
	Method:        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	RejectedField: "rejectedDataPoints",
	Advice:        "Jaeger and Tempo take only traces: send metrics to a Collector",
	JSON: func(request []byte) ([]byte, int, error) {
		m, err := new(pmetric.ProtoUnmarshaler).UnmarshalMetrics(request)
		if err != nil {
			return nil, 0, err
		}
		text, err := new(pmetric.JSONMarshaler).MarshalMetrics(m)
		return text, 1, err
	},
}
