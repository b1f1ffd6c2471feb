// Package jaegertest runs Jaeger v2.13.0, so that tests see a trace as Jaeger
// received, stored and presents it.
//
// Each Jaeger is one process that keeps up to 100,000 traces in memory, and
// listens on ports of 127.0.0.1 that the system chose. It accepts messages of
// Jaeger's default sizes: 4 MiB over gRPC, 20 MiB over HTTP. An export that is
// answered is stored: see config.yaml. The program is built from source on first
// use and cached, see build.go: that takes minutes, the Go module proxy, and bash
// besides go. Its UI is not there.
package jaegertest

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

const (
	startTimeout = time.Minute
	// exitDelay is longer than a dying process and the news of it take.
	exitDelay = time.Second
	// pipeDelay is for a log that something else than Jaeger holds open.
	pipeDelay = 5 * time.Second
)

//go:embed config.yaml
var config string

// maxTraces is max_traces of config.yaml.
const maxTraces = 100_000

// A Jaeger is a running process. It may be used from several goroutines.
type Jaeger struct {
	OTLPHTTP string // base URL of the OTLP/HTTP receiver: POST to OTLPHTTP + "/v1/traces"
	OTLPGRPC string // host:port of the OTLP/gRPC receiver, without TLS
	Query    string // base URL of the query service: GET Query + "/api/traces/..."

	ctx    context.Context // the one given to Start: it tells why the process was killed
	cmd    *exec.Cmd
	log    log
	client *http.Client

	exited chan struct{} // closed once the process has ended
	exit   error         // how it ended; valid after exited

	close func() error
}

// Start starts a Jaeger and waits until it answers. When ctx is done the
// process is killed, during Start or later. Otherwise the caller ends it with
// Close.
func Start(ctx context.Context) (*Jaeger, error) {
	j, err := start(ctx)
	if err != nil {
		return nil, fmt.Errorf("jaegertest: start: %w", err)
	}
	return j, nil
}

func start(ctx context.Context) (*Jaeger, error) {
	file, err := program(ctx)
	if err != nil {
		return nil, err
	}
	j := &Jaeger{
		ctx: ctx,
		cmd: exec.CommandContext(ctx, file, "--config=yaml:"+config),
		// Not http.DefaultClient, for connections that end with this Jaeger.
		client: &http.Client{Transport: &http.Transport{}},
		exited: make(chan struct{}),
	}
	j.close = sync.OnceValue(j.end)
	j.log.ready = make(chan struct{})
	j.cmd.Env = []string{} // none: Jaeger would heed OTEL_ variables
	j.cmd.Stdout, j.cmd.Stderr = &j.log, &j.log
	j.cmd.WaitDelay = pipeDelay
	dieWithParent(j.cmd)

	if err := j.launch(); err != nil {
		return nil, cmp.Or(context.Cause(ctx), err)
	}
	if err := j.awaitReady(); err != nil {
		j.close()
		return nil, err
	}
	return j, nil
}

// launch starts the process and leaves a goroutine waiting for its end.
func (j *Jaeger) launch() error {
	started := make(chan error)
	go func() {
		// For Linux the parent in dieWithParent is this thread. The lock keeps
		// the thread for as long as the goroutine runs.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := j.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		j.exit = j.cmd.Wait()
		close(j.exited)
	}()
	return <-started
}

// awaitReady returns once Jaeger has logged that it is ready and where it
// listens, and its query service answers there.
func (j *Jaeger) awaitReady() error {
	ctx, cancel := context.WithTimeoutCause(j.ctx, startTimeout,
		fmt.Errorf("no answer within %v", startTimeout))
	defer cancel()
	select {
	case <-j.log.ready:
	case <-j.exited:
		return j.explain(ctx, errors.New("not ready"))
	case <-ctx.Done():
		return j.log.addTo(context.Cause(ctx))
	}

	at, err := j.log.listening()
	if err != nil {
		return j.log.addTo(err)
	}
	j.OTLPGRPC = at.otlpGRPC
	j.OTLPHTTP = "http://" + at.otlpHTTP
	j.Query = "http://" + at.query
	_, err = j.Services(ctx)
	return err
}

// Log returns the end of what the process has logged so far.
func (j *Jaeger) Log() string { return j.log.String() }

// Close kills the process, and its traces are gone. It returns when the process has
// ended. It returns an error if the process had ended by itself, but not if Start's
// context had ended it. Further calls return the same.
func (j *Jaeger) Close() error {
	if err := j.close(); err != nil {
		return fmt.Errorf("jaegertest: close: %w", err)
	}
	return nil
}

func (j *Jaeger) end() error {
	err := j.cmd.Process.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-j.exited
	j.client.CloseIdleConnections()
	if err != nil && j.ctx.Err() == nil {
		return j.explain(j.ctx, errors.New("Jaeger did not run until now"))
	}
	return nil
}

// explain returns the error that says most about a failure, err, in a call
// with ctx.
func (j *Jaeger) explain(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if cause := context.Cause(j.ctx); cause != nil {
		return cause
	}
	// A connection breaks moments before the end of its process is known.
	select {
	case <-j.exited:
		exit := j.exit
		if exit == nil {
			exit = errors.New("exit status 0")
		}
		err = fmt.Errorf("%w; the process has ended: %w", err, exit)
	case <-time.After(exitDelay):
	}
	return j.log.addTo(err)
}
