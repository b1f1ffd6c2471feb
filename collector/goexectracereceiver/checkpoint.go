package goexectracereceiver

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/extension/xextension/storage"
)

// checkpoints are the files that are done, in a storage extension, or else in memory.
type checkpoints struct {
	client storage.Client // nil for none
	mu     sync.Mutex
	done   map[string]bool // in memory, by key
}

// keyPrefix is of the keys of checkpoints. What follows identifies the content of a
// file; the value says when it was done.
const keyPrefix = "done."

// openCheckpoints opens the checkpoints in a storage extension, nil for memory.
func openCheckpoints(ctx context.Context, host component.Host, id *component.ID, of component.ID) (*checkpoints, error) {
	c := &checkpoints{done: make(map[string]bool)}
	if id == nil {
		return c, nil
	}
	ext, ok := host.GetExtensions()[*id].(storage.Extension)
	if !ok {
		return nil, fmt.Errorf("storage: %q is no storage extension of the service", id)
	}
	var err error
	c.client, err = ext.GetClient(ctx, component.KindReceiver, of, "files")
	return c, err
}

// has reports whether a file is done.
func (c *checkpoints) has(ctx context.Context, key string) (bool, error) {
	c.mu.Lock()
	known := c.done[key]
	c.mu.Unlock()
	if known || c.client == nil {
		return known, nil
	}
	value, err := c.client.Get(ctx, keyPrefix+key)
	if err != nil || value == nil {
		return false, err
	}
	c.remember(key)
	return true, nil
}

// add makes a file done.
func (c *checkpoints) add(ctx context.Context, key string) error {
	if c.client != nil {
		if err := c.client.Set(ctx, keyPrefix+key, []byte(time.Now().UTC().Format(time.RFC3339))); err != nil {
			return err
		}
	}
	c.remember(key)
	return nil
}

func (c *checkpoints) remember(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done[key] = true
}

// forgetAfter is how long the checkpoint of a file stays that is not there any more: it
// may come back, as from a volume.
const forgetAfter = 24 * time.Hour

// keep forgets the checkpoints of files that are not there any more.
func (c *checkpoints) keep(ctx context.Context, there map[string]bool) error {
	c.mu.Lock()
	for key := range c.done {
		if !there[key] {
			delete(c.done, key)
		}
	}
	c.mu.Unlock()
	all, ok := c.client.(storage.Walker)
	if !ok {
		return nil
	}
	return all.Walk(ctx, func(key string, value []byte) ([]*storage.Operation, error) {
		name, ok := strings.CutPrefix(key, keyPrefix)
		done, err := time.Parse(time.RFC3339, string(value))
		if !ok || there[name] || err == nil && time.Since(done) < forgetAfter {
			return nil, nil
		}
		return []*storage.Operation{storage.DeleteOperation(key)}, nil
	})
}

func (c *checkpoints) close(ctx context.Context) error {
	if c.client == nil {
		return nil
	}
	return c.client.Close(ctx)
}
