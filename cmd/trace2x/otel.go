package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// otelFlags are the flags of trace2x otel that need more than their value.
type otelFlags struct {
	out       string
	detail    string
	wallStart string
	service   string
	resource  []string
	headers   []string
	dryRun    bool
}

func newOtel(e *env) *cobra.Command {
	opts := otel.DefaultOptions()
	opts.Version = version()
	var client otel.ClientOptions
	var fl otelFlags
	var src source
	var sel selection
	cmd := &cobra.Command{
		Use:   "otel TRACE",
		Short: "Send a trace as OpenTelemetry spans, to Jaeger, Tempo or a file",
		Long: `otel turns a Go execution trace into OpenTelemetry spans: a trace for each root
task of runtime/trace with its subtasks, regions, logs, the goroutines at work
for it and where they waited, and one trace for the program as a whole.

A task that is a span of OpenTelemetry, as package spanlink tells, is not sent
again: the goroutines at work for it, and where they waited, go below that span,
in the distributed trace that the program has sent.

` + sourceHelp + `

The spans go to --endpoint, else to where OTEL_EXPORTER_OTLP_ENDPOINT says, else
to http://localhost:4318. All OTEL_EXPORTER_OTLP_* variables, OTEL_SERVICE_NAME and
OTEL_RESOURCE_ATTRIBUTES work as the OpenTelemetry specification says; flags win.
The exit code is 0 only if everything was accepted.

Times are wall-clock times if the trace tells them, as those of Go 1.25 and
later do. For others, --wall-start gives the time at which the trace begins; else
it is taken from the time at which the file was written.`,
		Example: `  # to a local Jaeger
  trace2x otel trace.out

  # only requests that took half a second or more
  trace2x otel --endpoint http://tempo:4318 --service checkout --min-task 500ms trace.out

  # the runtime's part of one distributed trace
  trace2x otel --service checkout --trace-id 4bf92f3577b34da6a3ce929d0e0e4736 trace.out

  # only tasks of one type, over gRPC
  trace2x otel --protocol grpc --endpoint http://localhost:4317 --task '^handleRequest$' trace.out

  # ten seconds of a running program
  trace2x otel --seconds 10 --service checkout http://checkout:6060

  # OTLP JSON Lines, without any network
  trace2x otel -o spans.jsonl trace.out

  # how many spans would there be?
  trace2x otel --dry-run trace.out`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := src.name(args[0])
			if err != nil {
				return err
			}
			if err := fl.apply(cmd.Context(), &opts, &client); err != nil {
				return err
			}
			if err := sel.parse(); err != nil {
				return err
			}
			opts.Selection = sel.Selection
			if opts.Window, err = src.window(); err != nil {
				return err
			}
			e.ran = true
			return toOtel(cmd.Context(), e, from, &fl, &sel, opts, client)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&client.Endpoint, "endpoint", "", "send to `URL`")
	f.StringVar(&client.Protocol, "protocol", "", "`grpc` or http/protobuf (default http/protobuf)")
	f.StringArrayVar(&fl.headers, "header", nil, "send a header, `KEY=VALUE`; may be repeated")
	f.BoolVar(&client.Insecure, "insecure", false, "use no TLS for an endpoint HOST:PORT")
	f.StringVar(&fl.service, "service", "", "the `NAME` of the service that was traced (service.name)")
	f.StringArrayVar(&fl.resource, "resource", nil, "an attribute of the program that was traced, `KEY=VALUE`; may be repeated")
	f.StringVar(&fl.wallStart, "wall-start", "", "the `TIME` (RFC 3339) at which a trace begins that does not tell")
	f.StringVar(&fl.detail, "detail", opts.Detail.String(), "`LEVEL`: tasks, regions, goroutines or states")
	f.DurationVar(&opts.MinSpan, "min-span", opts.MinSpan, "the shortest state that becomes a span; the sums have all")
	f.IntVar(&opts.MaxSpansPerTrace, "max-spans-per-trace", opts.MaxSpansPerTrace, "the most spans in one trace, 0 for no limit; the root span says what is left out")
	f.DurationVar(&opts.MinTask, "min-task", 0, "only root tasks at least this long")
	sel.addFlags(f)
	f.StringVarP(&fl.out, "output", "o", "", "write OTLP JSON Lines to `FILE`, - for standard output, and send nothing")
	f.BoolVar(&fl.dryRun, "dry-run", false, "send nothing; tell how many spans there would be")
	src.addFlags(f)
	return cmd
}

// apply checks the flags and puts them into the options.
func (fl *otelFlags) apply(ctx context.Context, opts *otel.Options, client *otel.ClientOptions) error {
	var ok bool
	var err error
	if opts.Detail, ok = otel.ParseDetail(fl.detail); !ok {
		return fmt.Errorf("--detail %q: it is tasks, regions, goroutines or states", fl.detail)
	}
	if opts.MinSpan < 0 || opts.MinTask < 0 || opts.MaxSpansPerTrace < 0 {
		return errors.New("--min-span, --min-task and --max-spans-per-trace must not be negative")
	}
	if fl.wallStart != "" {
		t, err := time.Parse(time.RFC3339Nano, fl.wallStart)
		if err != nil {
			return fmt.Errorf("--wall-start: %w", err)
		}
		opts.WallStart = t
	}
	if fl.dryRun && fl.out != "" {
		return errors.New("--dry-run writes nothing: leave out --output")
	}
	headers, err := pairs("--header", fl.headers)
	if err != nil {
		return err
	}
	client.Headers = make(map[string]string)
	for _, kv := range headers {
		client.Headers[kv[0]] = kv[1]
	}
	opts.Resource, err = fl.attributes(ctx)
	return err
}

func pairs(flag string, list []string) (out [][2]string, err error) {
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, fmt.Errorf("%s %q: it is KEY=VALUE", flag, s)
		}
		out = append(out, [2]string{k, v})
	}
	return out, nil
}

// attributes are those of the resource: the program that was traced.
func (fl *otelFlags) attributes(ctx context.Context) ([]*commonpb.KeyValue, error) {
	given, err := pairs("--resource", fl.resource)
	if err != nil {
		return nil, err
	}
	fromEnv, err := resource.New(ctx, resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	values := map[string]string{"service.name": "unknown_service:go", "process.runtime.name": "go"}
	for _, kv := range fromEnv.Attributes() {
		values[string(kv.Key)] = kv.Value.String()
	}
	for _, kv := range given {
		values[kv[0]] = kv[1]
	}
	if fl.service != "" {
		values["service.name"] = fl.service
	}
	var keys []attribute.Key
	for k := range values {
		keys = append(keys, attribute.Key(k))
	}
	slices.Sort(keys)
	var out []*commonpb.KeyValue
	for _, k := range keys {
		out = append(out, otel.StringAttribute(string(k), values[string(k)]))
	}
	return out, nil
}

func toOtel(ctx context.Context, e *env, from string, fl *otelFlags, sel *selection, opts otel.Options, clientOpts otel.ClientOptions) error {
	if opts.WallStart.IsZero() {
		var err error
		if opts.WallStart, err = e.guessWallStart(ctx, from); err != nil {
			return err
		}
	}
	in, done, err := e.open(ctx, from)
	if err != nil {
		return err
	}
	defer in.Close()
	defer done()

	var client otel.Client
	var out *output.Output
	target := ""
	switch {
	case fl.dryRun:
	case fl.out != "":
		if out, err = output.Create(fl.out, e.stdout); err != nil {
			return err
		}
		defer out.Discard()
		client, target = otel.NewFileClient(out), outName(fl.out)
	default:
		clientOpts.Notify = func(err error, wait time.Duration) {
			fmt.Fprintf(e.stderr, "trace2x: %v; trying again in %v\n", err, wait.Round(time.Millisecond))
		}
		if client, target, err = otel.NewClient(ctx, clientOpts); err != nil {
			return err
		}
	}

	rep, err := otel.Convert(ctx, in, client, opts)
	done()
	if rep == nil {
		return inInput(in, err)
	}
	if out != nil {
		if rep.Result.Rejected > 0 || ctx.Err() != nil {
			return err // the file is not complete
		}
		if err := out.Commit(); err != nil {
			return err
		}
	}
	e.report(in, rep.Trace)
	sel.report(e, rep.Found)
	e.reportSpans(target, rep)
	return inDamage(in, err)
}

// reportSpans tells what became of the spans.
func (e *env) reportSpans(target string, r *otel.Report) {
	total := 0
	var kinds []string
	for _, k := range []string{"task", "region", "goroutine", "state", "gc", "program"} {
		if n := r.Spans[k]; n > 0 {
			total += n
			kinds = append(kinds, english.Sprintf("%d %s", n, k))
		}
	}
	what := plural(r.Traces, "trace")
	switch {
	case r.Linked > 0 && r.Traces > 0:
		what = plural(r.Linked, "linked span") + " and " + what
	case r.Linked > 0:
		what = plural(r.Linked, "linked span")
	}
	fmt.Fprintf(e.stderr, "%s with %s (%s)\n", what, plural(total, "span"), strings.Join(kinds, ", "))
	if r.Filtered > 0 {
		english.Fprintf(e.stderr, "%d root tasks were not asked for\n", r.Filtered)
	}
	if r.LeftOut > 0 {
		english.Fprintf(e.stderr, "warning: %d spans were left out by --max-spans-per-trace\n", r.LeftOut)
	}
	if target == "" {
		fmt.Fprintln(e.stderr, "nothing was sent")
		return
	}
	english.Fprintf(e.stderr, "%s: %d spans accepted, %d rejected\n", target, r.Result.Accepted, r.Result.Rejected)
	for _, reason := range slices.Sorted(maps.Keys(r.Result.Reasons)) {
		english.Fprintf(e.stderr, "warning: %d spans rejected: %s\n", r.Result.Reasons[reason], reason)
	}
	for _, w := range r.Result.Warnings {
		fmt.Fprintf(e.stderr, "warning: the backend says: %s\n", w)
	}
}

// guessWallStart finds out when a trace without clock snapshots began: when its
// file was written, less its duration. It is zero for a trace that tells itself.
func (e *env) guessWallStart(ctx context.Context, from string) (time.Time, error) {
	if from == "-" || input.IsURL(from) {
		return time.Now(), nil // of no use if the trace tells
	}
	info, err := os.Stat(from)
	if err != nil || !info.Mode().IsRegular() {
		return time.Time{}, nil // input.Open will tell
	}
	in, err := input.Open(ctx, from, nil)
	if err != nil {
		return time.Time{}, err
	}
	defer in.Close()
	start, end, told, err := model.Extent(ctx, in)
	if err != nil {
		return time.Time{}, inInput(in, err)
	}
	if told {
		return time.Time{}, nil
	}
	wall := info.ModTime().Add(-time.Duration(end - start))
	fmt.Fprintf(e.stderr, "warning: %s does not tell the time of day; taken to begin at %s, from when the file was written (--wall-start gives it)\n",
		filepath.Base(from), wall.Format(time.RFC3339Nano))
	return wall, nil
}
