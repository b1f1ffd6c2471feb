package goexectracereceiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/trace2x/trace2x/internal/address"
	"github.com/trace2x/trace2x/model"
)

// pull records a program again and again until ctx ends. The first time is somewhere in
// the first interval, and each later one a tenth of it sooner or later, so that the
// programs are not all recorded at the same time.
func (d *dumps) pull(ctx context.Context, client *http.Client, t *TargetConfig) {
	cfg := d.cfg.Pull.Get()
	pause := time.Duration(rand.Int64N(int64(cfg.Interval)))
	for {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		start := time.Now()
		if err := d.record(ctx, client, t); err != nil && ctx.Err() == nil {
			d.telemetry.dump(ctx, fromPull, failed, 0)
			d.log.Warn("Cannot record a program", zap.String("program", address.Printable(t.URL)), zap.Error(err))
		}
		pause = max(0, cfg.Interval-time.Since(start)+time.Duration((rand.Float64()-0.5)/5*float64(cfg.Interval)))
	}
}

// record records a program once.
func (d *dumps) record(ctx context.Context, client *http.Client, t *TargetConfig) error {
	cfg := d.cfg.Pull.Get()
	u, err := url.Parse(t.URL)
	if err != nil {
		return errors.New("the address is no URL")
	}
	if p := strings.TrimSuffix(u.Path, "/"); p == "" {
		u.Path = "/debug/pprof/trace"
	}
	q := u.Query()
	q.Set("seconds", strconv.Itoa(cfg.Seconds))
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cfg.Seconds)*time.Second+time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	began := time.Now()
	resp, err := client.Do(req)
	if err != nil {
		if e := new(url.Error); errors.As(err, &e) {
			err = e.Err // without the URL, which may have a password
		}
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, cfg.MaxBytes))
	if len(data) == 0 {
		return errors.Join(errors.New("it answers nothing"), err)
	}
	// A recording that breaks off, or is longer than max_bytes, is damaged: what can be
	// read of it is taken.
	if err := model.CheckHeader(data[:min(len(data), 512)]); err != nil {
		return err
	}
	x := &dump{from: fromPull, name: "recording of " + address.Printable(t.URL), size: int64(len(data)), data: bytes.NewReader(data), patient: true}
	x.info.Time, x.info.configured = began, t.Resource
	if text := resp.Header.Get(metadataHeader); text != "" { // of recorder's handler
		if x.info, err = parseMetadata([]byte(text)); err != nil {
			d.log.Warn("The metadata of a recording is not what package recorder sends", zap.Error(err))
		}
		x.info.configured = t.Resource
	}
	_, err = d.take(ctx, x)
	return err
}
