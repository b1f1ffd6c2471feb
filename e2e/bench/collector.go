package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// million is what TestMillion of e2e/collectortest logs.
var million = regexp.MustCompile(`(\d+) spans of (\d+) dumps .* CPU time (\S+) for each dump, .* at most (\d+) MB of memory`)

// collector measures a million spans through a Collector with the receiver. The test
// builds it, and fails if it takes too much memory.
func (b *bench) collector() error {
	u, err := measure("go", "test", "-count=1", "-timeout=40m", "-run=^TestMillion$", "-v", "./e2e/collectortest")
	if err != nil {
		return err
	}
	m := million.FindStringSubmatch(u.out)
	if m == nil {
		return fmt.Errorf("TestMillion does not log what it measures:\n%s", u.out)
	}
	spans, _ := strconv.Atoi(m[1])
	dumps, _ := strconv.Atoi(m[2])
	each, err := time.ParseDuration(m[3])
	if err != nil {
		return err
	}
	b.row(&trace{name: "tasks"}, "a million spans through a Collector, peak RSS", "≤ 400 MB", "%s MB (%.0f spans per second of CPU time)", m[4], float64(spans)/(float64(dumps)*each.Seconds()))
	return nil
}
