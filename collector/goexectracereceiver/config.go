package goexectracereceiver

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/config/confighttp"
	"go.opentelemetry.io/collector/config/configoptional"

	"github.com/trace2x/trace2x/convert/otel"
)

// Config is the configuration of the receiver. README.md has a table of it.
type Config struct {
	Files FilesConfig                         `mapstructure:"files"`
	HTTP  configoptional.Optional[HTTPConfig] `mapstructure:"http"`
	Pull  configoptional.Optional[PullConfig] `mapstructure:"pull"`
	Spans SpansConfig                         `mapstructure:"spans"`
	// Resource are attributes of all programs whose dumps do not tell them.
	Resource map[string]any `mapstructure:"resource"`
	// MaxConcurrent is the number of dumps that are read at the same time.
	MaxConcurrent int `mapstructure:"max_concurrent"`
	// Storage is the extension that keeps the checkpoints of files.
	Storage *component.ID `mapstructure:"storage"`
	// Retry is how long what is refused for now waits before it is tried again: the
	// first time, and at most.
	RetryInitial time.Duration `mapstructure:"retry_initial"`
	RetryMax     time.Duration `mapstructure:"retry_max"`

	_ struct{}
}

// FilesConfig says which files are watched.
type FilesConfig struct {
	// Include are folders, whose files are dumps, and globs.
	Include []string `mapstructure:"include"`
	// Exclude are globs of files that are left alone.
	Exclude      []string      `mapstructure:"exclude"`
	PollInterval time.Duration `mapstructure:"poll_interval"`
	// Settle is how long a file does not change before it is complete.
	Settle time.Duration `mapstructure:"settle"`
	// AfterSuccess is keep, delete or move.
	AfterSuccess string `mapstructure:"after_success"`
	MoveTo       string `mapstructure:"move_to"`
}

// HTTPConfig is the endpoint that takes dumps.
type HTTPConfig struct {
	confighttp.ServerConfig `mapstructure:",squash"`
	Path                    string `mapstructure:"path"`
}

// PullConfig says which programs are recorded.
type PullConfig struct {
	confighttp.ClientConfig `mapstructure:",squash"`
	Targets                 []TargetConfig `mapstructure:"targets"`
	// Interval is the time between two recordings of a program, and Seconds how long
	// one takes.
	Interval time.Duration `mapstructure:"interval"`
	Seconds  int           `mapstructure:"seconds"`
	MaxBytes int64         `mapstructure:"max_bytes"`
}

// TargetConfig is a program with /debug/pprof/trace.
type TargetConfig struct {
	URL      string         `mapstructure:"url"`
	Resource map[string]any `mapstructure:"resource"`
}

// SpansConfig is which spans are made, as the flags of "trace2x otel" say.
type SpansConfig struct {
	Detail           string        `mapstructure:"detail"`
	MinSpan          time.Duration `mapstructure:"min_span"`
	MinTask          time.Duration `mapstructure:"min_task"`
	MaxSpansPerTrace int           `mapstructure:"max_spans_per_trace"`
	MaxBytesPerTrace int           `mapstructure:"max_bytes_per_trace"`
	CriticalPath     bool          `mapstructure:"critical_path"`
	// SlowTraceOnly limits the spans of a dump that a slow span made to its distributed
	// trace.
	SlowTraceOnly bool `mapstructure:"slow_trace_only"`
}

// What becomes of a file after success.
const (
	keep   = "keep"
	remove = "delete"
	move   = "move"
)

const (
	defaultPath = "/v1/trace"
	// defaultMaxBytes is larger than a flight recorder's window mostly is.
	defaultMaxBytes = 64 << 20
)

func createDefaultConfig() component.Config {
	spans := otel.DefaultOptions()
	server := confighttp.NewDefaultServerConfig()
	server.NetAddr.Endpoint = "localhost:4319"
	server.MaxRequestBodySize = defaultMaxBytes
	// The answer waits for the pipelines.
	server.ReadTimeout, server.WriteTimeout = time.Minute, 5*time.Minute
	client := confighttp.NewDefaultClientConfig()
	client.Timeout = 0 // of the recording, and then some
	return &Config{
		Files: FilesConfig{PollInterval: 5 * time.Second, Settle: 2 * time.Second, AfterSuccess: keep},
		HTTP:  configoptional.Default(HTTPConfig{ServerConfig: server, Path: defaultPath}),
		Pull: configoptional.Default(PullConfig{
			ClientConfig: client, Interval: 10 * time.Minute, Seconds: 5, MaxBytes: defaultMaxBytes,
		}),
		Spans: SpansConfig{
			Detail: spans.Detail.String(), MinSpan: spans.MinSpan,
			MaxSpansPerTrace: spans.MaxSpansPerTrace, MaxBytesPerTrace: spans.MaxBytesPerTrace, CriticalPath: spans.CriticalPath,
		},
		MaxConcurrent: 2,
		RetryInitial:  time.Second,
		RetryMax:      30 * time.Second,
	}
}

// Validate says what is wrong with the configuration.
func (c *Config) Validate() error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(c.Files.Include) == 0 && !c.HTTP.HasValue() && !c.Pull.HasValue() {
		fail("no source: set files::include, http or pull")
	}
	f := &c.Files
	for _, pattern := range append(append([]string{}, f.Include...), f.Exclude...) {
		if _, err := filepath.Match(pattern, ""); err != nil {
			fail("files: %q: %w", pattern, err)
		}
	}
	switch f.AfterSuccess {
	case keep, remove:
	case move:
		if f.MoveTo == "" {
			fail("files: after_success is move, but move_to is not set")
		}
	default:
		fail("files: after_success is %q, not keep, delete or move", f.AfterSuccess)
	}
	if f.PollInterval <= 0 || f.Settle < 0 || c.RetryInitial <= 0 || c.RetryMax < c.RetryInitial || c.MaxConcurrent < 1 {
		fail("poll_interval, settle, retry_initial, retry_max and max_concurrent must be positive, and retry_max not below retry_initial")
	}
	if h := c.HTTP.Get(); h != nil && (h.Path == "" || h.Path[0] != '/') {
		fail("http: path %q does not begin with /", h.Path)
	}
	if p := c.Pull.Get(); p != nil {
		if len(p.Targets) == 0 {
			fail("pull: no targets")
		}
		if p.Seconds < 1 || p.Interval < time.Duration(p.Seconds)*time.Second || p.MaxBytes < 1 {
			fail("pull: seconds and max_bytes must be positive, and interval not below seconds")
		}
		for i, t := range p.Targets {
			if u, err := url.Parse(t.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				fail("pull: target %d has no http or https URL", i+1)
			}
		}
	}
	s := &c.Spans
	if _, ok := otel.ParseDetail(s.Detail); !ok {
		fail("spans: detail is %q, not tasks, regions, goroutines or states", s.Detail)
	}
	if s.MinSpan < 0 || s.MinTask < 0 || s.MaxSpansPerTrace < 0 || s.MaxBytesPerTrace < 0 {
		fail("spans: a limit is negative")
	}
	return errors.Join(errs...)
}
