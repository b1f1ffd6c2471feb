package recorder

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// Options say what is recorded, when it is dumped, and where to. One of Folder and URL
// is needed to dump anything except by [Recorder.Handler].
type Options struct {
	// SlowSpan is how long a sampled span takes that makes a dump; 0 for none.
	SlowSpan time.Duration
	// Slow reports whether a span that ended makes a dump, also if it took less than
	// SlowSpan. It is called on the goroutine that ends the span, concurrently. It may
	// be nil.
	Slow func(sdktrace.ReadOnlySpan) bool
	// MinInterval is the shortest time between two dumps because of spans. 0 is 30 s.
	MinInterval time.Duration

	// Window is how much of the execution trace is kept at least, unless that takes more
	// than WindowBytes. 0 is 10 s.
	Window time.Duration
	// WindowBytes is the most memory that the window may take, about. 0 is 16 MiB.
	WindowBytes uint64

	// Folder is where dumps are written to; "" for nowhere. It is made if it does not
	// exist. A dump is a file trace2x-….trace, and beside it one with the same name and
	// .json instead of .trace, which has its [Metadata].
	Folder string
	// MaxBytes is how much all dumps in Folder may take, also dumps of other programs
	// there. The oldest are removed. 0 is 1 GiB.
	MaxBytes int64
	// FileMode are the permissions of the files. 0 is 0600.
	FileMode fs.FileMode

	// URL is where dumps are posted to, with their [Metadata] in the header
	// MetadataHeader; "" for nowhere. A dump that is not taken for now (no
	// connection, 429, or a status of 500 and above) is tried again three times.
	URL string
	// Header is sent with each post, for a login for example.
	Header http.Header
	// Client posts. Nil is one that gives up after a minute.
	Client *http.Client

	// Resource describes the program, in the metadata. Nil is the resource of the spans.
	Resource *resource.Resource
	// Logger is told of dumps, and once of what goes wrong. Nil is slog.Default().
	Logger *slog.Logger
}

// complete checks the options and fills in the defaults.
func (o *Options) complete() error {
	if o.SlowSpan < 0 || o.MinInterval < 0 || o.Window < 0 || o.MaxBytes < 0 {
		return errors.New("recorder: a duration or a size is negative")
	}
	if (o.SlowSpan > 0 || o.Slow != nil) && o.Folder == "" && o.URL == "" {
		return errors.New("recorder: slow spans make dumps, but neither Folder nor URL say where they go")
	}
	if o.URL != "" {
		u, err := url.Parse(o.URL)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			// The URL may have a password.
			return errors.New("recorder: URL is not that of an HTTP server")
		}
	}
	if o.FileMode&^fs.ModePerm != 0 {
		return fmt.Errorf("recorder: FileMode %v has more than permissions", o.FileMode)
	}
	o.MinInterval = cmp.Or(o.MinInterval, 30*time.Second)
	o.Window = cmp.Or(o.Window, 10*time.Second)
	o.WindowBytes = cmp.Or(o.WindowBytes, 16<<20)
	o.MaxBytes = cmp.Or(o.MaxBytes, 1<<30)
	o.FileMode = cmp.Or(o.FileMode, 0o600)
	if o.Client == nil {
		o.Client = &http.Client{Timeout: time.Minute}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return nil
}
