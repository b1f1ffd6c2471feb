package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/convert/otel/metrics"
	"github.com/trace2x/trace2x/convert/otel/otlpclient"
	"github.com/trace2x/trace2x/convert/otel/profiles"
	"github.com/trace2x/trace2x/internal/input"
	"github.com/trace2x/trace2x/internal/output"
	"github.com/trace2x/trace2x/model"
)

// noWait is --wait if it is not given.
const noWait time.Duration = -1

// otelFlags are the flags of trace2x otel that need more than their value.
type otelFlags struct {
	destination
	detail    string
	wallStart string
	service   string
	resource  []string
	headers   []string
	wait      time.Duration
	dryRun    bool
	signals   []*otel.Signal
	// shared is the output of several traces, nil for one.
	shared *output.Output
}

func newOtel(e *env) *cobra.Command {
	opts := otel.DefaultOptions()
	opts.Version = version()
	var client otlpclient.Options
	var fl otelFlags
	var signals []string
	var src source
	var sel selection
	cmd := &cobra.Command{
		Use:   "otel TRACE...",
		Short: "Send a trace as OpenTelemetry spans, to Jaeger, Tempo or a file",
		Long: `otel turns a Go execution trace into OpenTelemetry spans: a trace for each root
task of runtime/trace with its subtasks, regions, logs, the goroutines at work
for it and where they waited, and one trace for the program as a whole.

A task that package spanlink marked as a span of OpenTelemetry is not sent again:
the goroutines at work for it, and where they waited, go below that span, in the
distributed trace that the program has sent.

` + sourceHelp + `

` + inputsHelp + `
The traces are sent one after the other. --output has all of them.

The spans go to --endpoint, else to where OTEL_EXPORTER_OTLP_ENDPOINT says, else
to http://localhost:4318. All OTEL_EXPORTER_OTLP_* variables, OTEL_SERVICE_NAME and
OTEL_RESOURCE_ATTRIBUTES work as the OpenTelemetry specification says. Flags
override them.

--signal says what to send. metrics are of the program: scheduler latency, what
goroutines and Ps did, the GC, latencies of tasks. profiles show where goroutines
waited and for whom; their samples are linked to the spans. A Collector takes them
with --feature-gates=+service.profilesSupport. docs/otlp.md lists both.

The exit code is 0 only if everything was accepted. If a backend is down, trace2x
tries for 5 seconds; if it goes down later, for a minute. --wait changes both.

Times are wall-clock times. Traces of Go 1.25 and later have them. For others,
--wall-start gives the time at which the trace begins; the default is the time at
which the file was written, less the duration of the trace.`,
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

  # all that there is, to a Collector
  trace2x otel --signal traces,metrics,profiles --service checkout trace.out

  # all dumps of a flight recorder
  trace2x otel --service checkout dumps/

  # how many spans would there be?
  trace2x otel --dry-run trace.out`,
		Args:              someTraces,
		ValidArgsFunction: completeFiles,
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := src.locate(args[0])
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
			if fl.signals, err = parseSignals(signals); err != nil {
				return err
			}
			if slices.Contains(fl.signals, metrics.Signal) && !sel.All() {
				return errors.New("metrics are of the whole program, not of what --task, --func, --goroutine or --trace-id select: leave out metrics from --signal")
			}
			opts.ProfileIDs = slices.Contains(fl.signals, profiles.Signal)
			if opts.Window, err = src.window(); err != nil {
				return err
			}
			notes := &sendNotes{e: e}
			backends := make(map[*otel.Signal]*otlpclient.Client)
			if fl.out == "" {
				client.Notify = notes.retry
				for _, s := range fl.signals {
					client.Signal = s
					if backends[s], err = otlpclient.New(client); err != nil {
						return endpointError(err)
					}
					defer backends[s].Close()
				}
			}
			if fl.dryRun { // whether the flags say where to send is known now
				clear(backends)
			}
			if isMany(args) {
				if fl.wallStart != "" {
					return errors.New("--wall-start is for one trace: several do not all begin then")
				}
				return toOtelMany(cmd.Context(), e, args, &fl, &sel, opts, backends, notes)
			}
			e.ran = true
			return toOtel(cmd.Context(), e, from, &fl, &sel, opts, backends, notes)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringSliceVar(&signals, "signal", []string{"traces"}, "what to send: `SIGNALS` are traces, metrics and profiles, with commas")
	f.Lookup("signal").DefValue = "traces" // not [traces]
	f.StringVar(&client.Endpoint, "endpoint", "", "send to `URL`")
	f.StringVar(&client.Protocol, "protocol", "", "`PROTOCOL`: http/protobuf, http/json or grpc (default http/protobuf)")
	f.StringArrayVar(&fl.headers, "header", nil, headerHelp)
	f.BoolVar(&client.Insecure, "insecure", false, "use no TLS for an endpoint HOST:PORT")
	f.DurationVar(&fl.wait, "wait", noWait, "wait up to `TIME` for a backend that is down or busy (default 5s, or 1m if it was up before); 0 does not wait")
	f.Lookup("wait").DefValue = "0s" // help does not show it: the usage has the default
	f.StringVar(&fl.service, "service", "", "the `NAME` of the service that was traced (service.name)")
	f.StringArrayVar(&fl.resource, "resource", nil, "an attribute of the program that was traced, `KEY=VALUE`; may be repeated")
	f.StringVar(&fl.wallStart, "wall-start", "", "the `TIME` (RFC 3339) at which a trace begins that does not tell")
	f.StringVar(&fl.detail, "detail", opts.Detail.String(), "`LEVEL`: tasks, regions, goroutines or states")
	f.DurationVar(&opts.MinSpan, "min-span", opts.MinSpan, "the shortest state that becomes a span; the sums have all")
	f.IntVar(&opts.MaxSpansPerTrace, "max-spans-per-trace", opts.MaxSpansPerTrace, "the most spans in one trace, 0 for no limit; the longest and those on critical paths are sent, and the root span says how many are not")
	f.IntVar(&opts.MaxBytesPerTrace, "max-bytes-per-trace", opts.MaxBytesPerTrace, "the most bytes in one trace, 0 for no limit, likewise")
	f.BoolVar(&opts.CriticalPath, "critical-path", opts.CriticalPath, "tell why tasks took as long as they did: see docs/otlp.md")
	f.DurationVar(&opts.MinTask, "min-task", 0, "only root tasks at least this long")
	sel.addFlags(f)
	fl.destination.addFlags(f, "write OTLP JSON Lines to `FILE`, - for standard output, and send nothing")
	f.BoolVar(&fl.dryRun, "dry-run", false, "send nothing; tell how many spans, data points and samples there would be")
	src.addFlags(f)
	src.addHeader(f, "trace-header")
	return cmd
}

// apply checks the flags and puts them into the options.
func (fl *otelFlags) apply(ctx context.Context, opts *otel.Options, client *otlpclient.Options) error {
	var ok bool
	var err error
	if opts.Detail, ok = otel.ParseDetail(fl.detail); !ok {
		return badValue("--detail", fl.detail, "tasks, regions, goroutines or states", "goroutines")
	}
	switch {
	case opts.MinSpan < 0:
		return badValue("--min-span", opts.MinSpan.String(), "0 or more", "1ms")
	case opts.MinTask < 0:
		return badValue("--min-task", opts.MinTask.String(), "0 or more", "500ms")
	case opts.MaxSpansPerTrace < 0:
		return badValue("--max-spans-per-trace", strconv.Itoa(opts.MaxSpansPerTrace), "0, for no limit, or more", "10000")
	case opts.MaxBytesPerTrace < 0:
		return badValue("--max-bytes-per-trace", strconv.Itoa(opts.MaxBytesPerTrace), "0, for no limit, or more", "4000000")
	}
	if fl.wallStart != "" {
		t, err := time.Parse(time.RFC3339Nano, fl.wallStart)
		if err != nil {
			return badValue("--wall-start", fl.wallStart, "a time of day (RFC 3339)", "2026-01-02T15:04:05.123Z")
		}
		opts.WallStart = t
	}
	if p := client.Protocol; p != "" && p != "grpc" && p != "http/protobuf" && p != "http/json" {
		return badValue("--protocol", p, "http/protobuf, http/json or grpc", "grpc")
	}
	if fl.dryRun && fl.out != "" {
		return errors.New("--dry-run writes nothing: leave out --output")
	}
	if client.Headers, err = parseHeaders("--header", fl.headers); err != nil {
		return err
	}
	switch {
	case fl.wait > 0:
		client.RetryTime = fl.wait
	case fl.wait == 0:
		client.RetryTime = -1
	case fl.wait != noWait:
		return badValue("--wait", fl.wait.String(), "0, to not wait, or more", "30s")
	}
	opts.Resource, err = fl.attributes(ctx)
	return err
}

// endpointError names the flag if the error is about its value.
func endpointError(err error) error {
	if strings.HasPrefix(err.Error(), "endpoint: ") {
		return fmt.Errorf("--%w; give it as in --endpoint http://localhost:4318", err)
	}
	return err
}

func pairs(flag, example string, list []string) (out [][2]string, err error) {
	for _, s := range list {
		k, v, ok := strings.Cut(s, "=")
		if !ok || k == "" {
			return nil, badValue(flag, s, "KEY=VALUE", example)
		}
		out = append(out, [2]string{k, v})
	}
	return out, nil
}

// attributes returns the attributes of the resource: the program that was traced.
func (fl *otelFlags) attributes(ctx context.Context) ([]attribute.KeyValue, error) {
	given, err := pairs("--resource", "deployment.environment.name=staging", fl.resource)
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
	var out []attribute.KeyValue
	for _, k := range slices.Sorted(maps.Keys(values)) {
		out = append(out, attribute.String(k, values[k]))
	}
	return out, nil
}

// toOtel reads a trace once and sends the signals of it, or writes them to a file.
func toOtel(ctx context.Context, e *env, from location, fl *otelFlags, sel *selection, opts otel.Options, backends map[*otel.Signal]*otlpclient.Client, notes *sendNotes) error {
	target := fl.destination.target(e, fl.out, output.Spans, from)
	if fl.out != "" && fl.shared == nil {
		if err := target.Check(); err != nil {
			return err
		}
	}
	guessed := opts.WallStart.IsZero()
	if guessed {
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

	out := fl.shared
	client := func(s *otel.Signal) (otel.Client, string) { return nil, "" }
	switch {
	case fl.dryRun:
	case fl.out != "":
		if out == nil {
			if out, err = output.Create(target); err != nil {
				return err
			}
			defer out.Discard()
		}
		client = func(s *otel.Signal) (otel.Client, string) { return otel.NewFileClient(out, s), outName(fl.out) }
	default:
		client = func(s *otel.Signal) (otel.Client, string) { return backends[s], backends[s].Target() }
	}

	x := newExport(ctx, fl.signals, opts, client, out != nil)
	sum, err := model.ReadWindow(ctx, in, x.sink(), opts.Window)
	sum, err = x.close(sum, err)
	done()
	if sum == nil {
		return inInput(in, err)
	}
	if missed := fl.missed(in, sel, opts, x); missed != nil {
		return errors.Join(missed, inDamage(in, err))
	}
	if out != nil {
		if x.rejected() || ctx.Err() != nil {
			notes.gaveUp = true
			return errors.Join(err, x.sendErr()) // the file is not complete
		}
		if fl.shared == nil {
			if err := e.commit(out); err != nil {
				return err
			}
		}
		for _, o := range x.outlets {
			o.target = outName(out.Name())
		}
	}
	if len(backends) > 0 && (ctx.Err() != nil || x.allGaveUp()) {
		notes.gaveUp = true
		for _, o := range x.outlets {
			err = errors.Join(notes.ended(ctx, in, o, x.total(o)))
		}
		return err
	}
	e.report(in, sum)
	sel.report(e, x.found())
	if !x.clock.told && guessed && (from.name == "-" || input.IsURL(from.name)) {
		fmt.Fprintf(e.stderr, "warning: %s does not tell the time of day; taken to begin when it was read, at %s (--wall-start gives it)\n",
			in.Name, opts.WallStart.Format(time.RFC3339Nano))
	}
	e.reportSignals(ctx, in, x, &opts, notes)
	if x.rejected() {
		var damage *model.Damage
		var contradiction *model.ContradictionError
		switch {
		case errors.As(err, &damage):
			return inDamage(in, damage)
		case errors.As(err, &contradiction):
			return inDamage(in, contradiction)
		}
		return errTold
	}
	return inDamage(in, errors.Join(err, x.sendErr()))
}

// missed returns an error if nothing matches the filters that the user gave.
func (fl *otelFlags) missed(in *input.Input, sel *selection, opts otel.Options, x *export) error {
	if x.spans == nil {
		return sel.missed(in.Name, x.found())
	}
	rep := x.spans
	var given []string
	if sel.task != "" {
		given = append(given, "--task "+shown(sel.task))
	}
	if sel.traceID != "" {
		given = append(given, "--trace-id "+sel.traceID)
	}
	if opts.MinTask > 0 {
		given = append(given, "--min-task "+opts.MinTask.String())
	}
	if len(given) > 0 && rep.Traces == 0 && rep.Linked == 0 {
		return &missedError{fmt.Sprintf("%s: no task matches %s", in.Name, strings.Join(given, " and "))}
	}
	return sel.missed(in.Name, rep.Found)
}

// guessWallStart returns when a trace without clock snapshots began: when its file was
// written, less its duration. It returns zero for a trace that has the time itself.
func (e *env) guessWallStart(ctx context.Context, from location) (time.Time, error) {
	if from.name == "-" || input.IsURL(from.name) {
		return time.Now(), nil // not used if the trace has the time
	}
	info, err := os.Stat(from.name)
	if err != nil || !info.Mode().IsRegular() {
		return time.Time{}, nil // input.Open reports it
	}
	in, err := input.Open(ctx, from.name, input.Options{})
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
		shown(filepath.Base(from.name)), wall.Format(time.RFC3339Nano))
	return wall, nil
}
