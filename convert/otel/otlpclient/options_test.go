package otlpclient

import (
	"fmt"
	"math"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/trace2x/trace2x/convert/otel/metrics"
	"github.com/trace2x/trace2x/convert/otel/profiles"
)

func clearVariables(t *testing.T) {
	for _, v := range os.Environ() {
		if k, _, _ := strings.Cut(v, "="); strings.HasPrefix(k, "OTEL_") {
			t.Setenv(k, "")
		}
	}
}

func TestClientTarget(t *testing.T) {
	type vars map[string]string
	for _, test := range []struct {
		opts Options
		vars vars
		want string // an error if it begins with !
	}{
		{want: "http://localhost:4318/v1/traces"},
		{opts: Options{Protocol: "http/json"}, want: "http://localhost:4318/v1/traces"},
		{opts: Options{Protocol: "grpc"}, want: "localhost:4317 (gRPC)"},
		{opts: Options{Protocol: "thrift"}, want: "!protocol: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, want: "localhost:4317 (gRPC)"},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"}, want: "http://localhost:4318/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "tcp"}, want: "!OTEL_EXPORTER_OTLP_PROTOCOL: "},
		{opts: Options{Protocol: "http/protobuf"}, vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, want: "http://localhost:4318/v1/traces"},

		{opts: Options{Endpoint: "http://tempo:4318"}, want: "http://tempo:4318/v1/traces"},
		{opts: Options{Endpoint: "http://tempo:4318/"}, want: "http://tempo:4318/v1/traces"},
		{opts: Options{Endpoint: "https://grafana.net/otlp"}, want: "https://grafana.net/otlp/v1/traces"},
		{opts: Options{Endpoint: "https://grafana.net/otlp/v1/traces"}, want: "https://grafana.net/otlp/v1/traces"},
		{opts: Options{Endpoint: "tempo:4318"}, want: "https://tempo:4318/v1/traces"},
		{opts: Options{Endpoint: "tempo:4318", Insecure: true}, want: "http://tempo:4318/v1/traces"},
		{opts: Options{Endpoint: "tempo", Insecure: true}, want: "http://tempo:4318/v1/traces"},
		{opts: Options{Endpoint: "[::1]:4318", Insecure: true}, want: "http://[::1]:4318/v1/traces"},
		{opts: Options{Endpoint: "[::1]", Insecure: true}, want: "http://[::1]:4318/v1/traces"},
		{opts: Options{Endpoint: "https://tempo:4318", Insecure: true}, want: "!endpoint: "},
		{opts: Options{Endpoint: "ftp://tempo"}, want: "!endpoint: "},
		{opts: Options{Endpoint: "http://"}, want: "!endpoint: "},
		{opts: Options{Endpoint: "http://a:secret@tempo:4318"}, want: "!endpoint: "},
		{opts: Options{Endpoint: "http://a:secret@tempo:x"}, want: "!endpoint: "},
		{opts: Options{Endpoint: "http://tempo:4318/?key=secret"}, want: "!endpoint: "},
		{opts: Options{Headers: map[string]string{"a b": "c"}}, want: "!header "},
		{opts: Options{Headers: map[string]string{"a": "secret\n"}}, want: "!header "},

		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/base"}, want: "http://c:1/base/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/v1/traces"}, want: "http://c:1/v1/traces/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d:2/x"}, want: "http://d:2/x"},
		{vars: vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://d:2"}, want: "https://d:2/"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1", "OTEL_EXPORTER_OTLP_INSECURE": "false"}, want: "http://c:1/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "c:1", "OTEL_EXPORTER_OTLP_INSECURE": "true"}, want: "http://c:1/v1/traces"},
		{opts: Options{Endpoint: "http://tempo:4318"}, vars: vars{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d:2/x"}, want: "http://tempo:4318/v1/traces"},
		{vars: vars{"OTEL_EXPORTER_OTLP_TIMEOUT": "10s"}, want: "!OTEL_EXPORTER_OTLP_TIMEOUT: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_COMPRESSION": "zstd"}, want: "!OTEL_EXPORTER_OTLP_COMPRESSION: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/does/not/exist"}, want: "!OTEL_EXPORTER_OTLP_CERTIFICATE: "},
		{vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://c", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/dev/null"}, want: "!OTEL_EXPORTER_OTLP_CERTIFICATE: "},

		{opts: Options{Signal: metrics.Signal}, want: "http://localhost:4318/v1/metrics"},
		{opts: Options{Signal: profiles.Signal}, want: "http://localhost:4318/v1development/profiles"},
		{opts: Options{Signal: metrics.Signal, Endpoint: "http://c/base"}, want: "http://c/base/v1/metrics"},
		{opts: Options{Signal: metrics.Signal, Endpoint: "http://c/v1/metrics"}, want: "http://c/v1/metrics"},
		{opts: Options{Signal: profiles.Signal, Endpoint: "http://c/v1/traces"}, want: "!endpoint: "},
		{opts: Options{Signal: metrics.Signal, Protocol: "grpc", Endpoint: "http://c/v1/traces"}, want: "c:4317 (gRPC)"},
		{opts: Options{Signal: metrics.Signal}, vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/x", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://d:2"}, want: "http://c:1/x/v1/metrics"},
		{opts: Options{Signal: metrics.Signal}, vars: vars{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:1/x", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://d:2/m"}, want: "http://d:2/m"},
		{opts: Options{Signal: profiles.Signal}, vars: vars{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROFILES_PROTOCOL": "http/json"}, want: "http://localhost:4318/v1development/profiles"},
		{opts: Options{Signal: metrics.Signal}, vars: vars{"OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "10s"}, want: "!OTEL_EXPORTER_OTLP_METRICS_TIMEOUT: "},

		{opts: Options{Protocol: "grpc", Endpoint: "http://tempo"}, want: "tempo:4317 (gRPC)"},
		{opts: Options{Protocol: "grpc", Endpoint: "https://tempo/path"}, want: "tempo:443 (gRPC, TLS)"},
		{opts: Options{Protocol: "grpc", Endpoint: "tempo"}, want: "tempo:4317 (gRPC, TLS)"},
		{opts: Options{Protocol: "grpc", Endpoint: "tempo:1", Insecure: true}, want: "tempo:1 (gRPC)"},
		{opts: Options{Protocol: "grpc", Endpoint: "unix:///run/otel.sock"}, want: "unix:///run/otel.sock (gRPC)"},
		{opts: Options{Protocol: "grpc", Endpoint: "dns:///tempo:1"}, want: "dns:///tempo:1 (gRPC, TLS)"},
	} {
		t.Run(fmt.Sprint(test.opts, test.vars), func(t *testing.T) {
			clearVariables(t)
			for k, v := range test.vars {
				t.Setenv(k, v)
			}
			c, err := New(test.opts)
			if want, ok := strings.CutPrefix(test.want, "!"); ok {
				if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v, want %s…", err, want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if c.Target() != test.want {
				t.Errorf("%s, want %s", c.Target(), test.want)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestGzipVariable(t *testing.T) {
	clearVariables(t)
	gzip, err := new(Options).gzipVariable()
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"localhost": false, "localhost:4318": false, "127.0.0.1:4318": false, "127.1.2.3": false, "[::1]:4318": false, "[::1]": false, "unix:///run/otlp": false,
		"tempo": true, "tempo:4318": true, "10.0.0.1:4318": true, "[fe80::1]:4318": true, "localhost.example.com:80": true,
	} {
		if got := gzip(address); got != want {
			t.Errorf("%s: compressed %t", address, got)
		}
	}
}

func TestRetryAfterHeader(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"": 0, "x": 0, "-1": 0, "0": 0, "12": 12 * time.Second, "999999999999": math.MaxInt64, "99999999999999999999999": math.MaxInt64, "9223372036": 9223372036 * time.Second, "-99999999999999999999999": 0,
		time.Now().Add(time.Hour).UTC().Format(http.TimeFormat):  time.Hour,
		time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(in); (got - want).Abs() > 2*time.Second {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}
