package goexectracereceiver

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/receiver"
	"go.uber.org/zap"
)

// dumps is the receiver: one for all signals of a configuration.
type dumps struct {
	cfg *Config
	set receiver.Settings
	log *zap.Logger

	nextTraces   consumer.Traces  // nil if it is in no pipeline of traces
	nextMetrics  consumer.Metrics // likewise
	nextProfiles xconsumer.Profiles

	telemetry *telemetry
	turn      chan struct{} // one for each dump that is being read
	uploads   chan struct{} // one for each upload that is in memory
	forget    func()

	start, stop sync.Once
	stopErr     error
	cancel      context.CancelFunc
	running     sync.WaitGroup
	server      *http.Server
	checkpoints *checkpoints
}

func newDumps(set receiver.Settings, cfg *Config) (*dumps, error) {
	t, err := newTelemetry(set)
	return &dumps{
		cfg: cfg, set: set, log: set.Logger, telemetry: t,
		turn:    make(chan struct{}, cfg.MaxConcurrent),
		uploads: make(chan struct{}, 2*cfg.MaxConcurrent),
	}, err
}

// Start begins to take dumps. It is called once for each signal.
func (d *dumps) Start(ctx context.Context, host component.Host) (err error) {
	d.start.Do(func() { err = d.begin(ctx, host) })
	return err
}

func (d *dumps) begin(ctx context.Context, host component.Host) error {
	run, cancel := context.WithCancel(context.Background()) // ctx ends with the start
	d.cancel = cancel
	if len(d.cfg.Files.Include) > 0 {
		var err error
		if d.checkpoints, err = openCheckpoints(ctx, host, d.cfg.Storage, d.set.ID); err != nil {
			return err
		}
		if d.cfg.Storage == nil && d.cfg.Files.AfterSuccess == keep {
			d.log.Warn("No storage is set: after a restart all files are read again")
		}
		d.running.Go(func() { d.watch(run) })
	}
	if p := d.cfg.Pull.Get(); p != nil {
		client, err := p.ToClient(ctx, host.GetExtensions(), d.set.TelemetrySettings)
		if err != nil {
			return err
		}
		for i := range p.Targets {
			d.running.Go(func() { d.pull(run, client, &p.Targets[i]) })
		}
	}
	if h := d.cfg.HTTP.Get(); h != nil {
		return d.serve(ctx, run, host, h)
	}
	return nil
}

// Shutdown ends it. What is being read is not done: it is read again after a restart,
// and an upload is answered that it shall be sent again.
func (d *dumps) Shutdown(ctx context.Context) error {
	d.stop.Do(func() {
		d.forget()
		if d.cancel == nil {
			return
		}
		d.cancel()
		if d.server != nil {
			d.stopErr = d.server.Shutdown(ctx)
		}
		d.running.Wait()
		if d.checkpoints != nil {
			d.stopErr = errors.Join(d.stopErr, d.checkpoints.close(ctx))
		}
	})
	return d.stopErr
}
