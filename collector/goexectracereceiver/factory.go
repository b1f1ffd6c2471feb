package goexectracereceiver

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/consumer/xconsumer"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/xreceiver"
)

// Type is the type of the receiver in configurations.
var Type = component.MustNewType("go_execution_trace")

// NewFactory returns the factory of the receiver.
func NewFactory() receiver.Factory {
	f := &shared{receivers: make(map[*Config]*dumps)}
	return xreceiver.NewFactory(Type, createDefaultConfig,
		xreceiver.WithTraces(f.traces, component.StabilityLevelAlpha),
		xreceiver.WithMetrics(f.metrics, component.StabilityLevelAlpha),
		xreceiver.WithProfiles(f.profiles, component.StabilityLevelDevelopment),
	)
}

// shared has one receiver for all signals of a configuration, so that each dump is read
// once.
type shared struct {
	mu        sync.Mutex
	receivers map[*Config]*dumps
}

func (f *shared) of(set receiver.Settings, cfg component.Config) (*dumps, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := cfg.(*Config)
	if d := f.receivers[c]; d != nil {
		return d, nil
	}
	d, err := newDumps(set, c)
	if err != nil {
		return nil, err
	}
	d.forget = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.receivers, c)
	}
	f.receivers[c] = d
	return d, nil
}

func (f *shared) traces(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Traces) (receiver.Traces, error) {
	d, err := f.of(set, cfg)
	if err != nil {
		return nil, err
	}
	d.nextTraces = next
	return d, nil
}

func (f *shared) metrics(_ context.Context, set receiver.Settings, cfg component.Config, next consumer.Metrics) (receiver.Metrics, error) {
	d, err := f.of(set, cfg)
	if err != nil {
		return nil, err
	}
	d.nextMetrics = next
	return d, nil
}

func (f *shared) profiles(_ context.Context, set receiver.Settings, cfg component.Config, next xconsumer.Profiles) (xreceiver.Profiles, error) {
	d, err := f.of(set, cfg)
	if err != nil {
		return nil, err
	}
	d.nextProfiles = next
	return d, nil
}
