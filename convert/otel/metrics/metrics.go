package metrics

import (
	"maps"
	"slices"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/pmetric"

	"github.com/trace2x/trace2x/convert/otel"
	"github.com/trace2x/trace2x/model"
	"github.com/trace2x/trace2x/report"
)

const (
	scopeName = "github.com/trace2x/trace2x/convert/otel/metrics"
	// schemaURL is the version of the semantic conventions whose names are used.
	schemaURL = "https://opentelemetry.io/schemas/1.43.0"
)

// Metrics returns the metrics of the trace, which has ended: in one message, always in
// the same order. The caller may change it.
func (c *Collector) Metrics() pmetric.Metrics {
	out := pmetric.NewMetrics()
	rm := out.ResourceMetrics().AppendEmpty()
	otel.PutResource(rm.Resource(), c.opts.Resource)
	rm.SetSchemaUrl(schemaURL)
	sm := rm.ScopeMetrics().AppendEmpty()
	sm.SetSchemaUrl(schemaURL)
	sm.Scope().SetName(scopeName)
	sm.Scope().SetVersion(c.opts.Version)

	rep := c.sums.Report()
	e := &encoder{
		to:    sm.Metrics(),
		start: pcommon.Timestamp(c.clock.UnixNano(rep.Trace.Start)),
		end:   pcommon.Timestamp(c.clock.UnixNano(rep.Trace.End)),
	}
	c.goroutines(e, rep)
	c.processors(e, &rep.Overview.Procs)
	c.memory(e)
	e.latencies("go.task.duration", "How long the tasks of package runtime/trace took.", "go.task.type", c.tasks)
	e.latencies("go.region.duration", "How long the regions of package runtime/trace took.", "go.region.type", c.regions)
	return out
}

// goroutines adds what goroutines do.
func (c *Collector) goroutines(e *encoder, rep *report.Report) {
	e.histogram("go.schedule.duration", "The time goroutines have spent in the scheduler in a runnable state before actually running.").add(&c.latency)
	count := e.current("go.goroutine.count", "{goroutine}", "Count of live goroutines.")
	for _, kind := range []model.StateKind{model.Running, model.Runnable, model.Waiting, model.Syscall} {
		count.count(c.alive[kind], "go.state", kind.String())
	}

	var all report.Times
	waiting := make(map[string]time.Duration)
	for _, g := range rep.Goroutines {
		all.Execution += g.Sum.Execution
		all.SchedWait += g.Sum.SchedWait
		all.Syscall += g.Sum.Syscall
		all.SyscallBlock += g.Sum.SyscallBlock
		all.GCAssist += g.Sum.GCAssist
		for reason, d := range g.Sum.BlockByReason {
			waiting[reason] += d
		}
	}
	states := e.sum("go.goroutine.time", "s", "The time of all goroutines by what they did and, where they waited, why.")
	states.time(all.Execution, "go.state", "running")
	states.time(all.SchedWait, "go.state", "runnable")
	states.time(all.Syscall, "go.state", "syscall")
	states.time(all.SyscallBlock, "go.state", "syscall without P")
	for _, reason := range slices.Sorted(maps.Keys(waiting)) {
		states.time(waiting[reason], "go.state", "waiting", "go.reason", reason)
	}
	e.sum("go.goroutine.gc_assist.time", "s", "The time in which goroutines had to help the GC to mark. It is a part of go.goroutine.time.").time(all.GCAssist)
}

// processors adds what Ps do.
func (c *Collector) processors(e *encoder, p *report.Procs) {
	if c.procs.known {
		e.current("go.processor.limit", "{thread}", "The number of OS threads that can execute user-level Go code simultaneously.").count(int64(c.procs.value))
	}
	states := e.sum("go.processor.time", "s", "The time of all Ps by what they did.")
	states.time(p.Goroutines, "go.processor.state", "goroutines")
	states.time(p.Syscall, "go.processor.state", "syscall")
	states.time(p.GC, "go.processor.state", "gc")
	states.time(p.Scheduler, "go.processor.state", "scheduler")
	states.time(p.Idle, "go.processor.state", "idle")
}

// memory adds the heap and what the GC does.
func (c *Collector) memory(e *encoder) {
	if c.heap.known {
		e.current("go.memory.used", "By", "Memory used by the Go runtime.").
			count(int64(c.heap.value), "go.memory.type", "other", "go.memory.detailed_type", "heap/objects")
	}
	if c.goal.known {
		e.current("go.memory.gc.goal", "By", "Heap size target for the end of the GC cycle.").count(int64(c.goal.value))
	}
	e.sum("go.memory.gc.cycles", "{gc_cycle}", "Number of completed GC cycles.").count(c.cycles)
	if c.marks.count > 0 {
		e.histogram("go.memory.gc.mark.duration", "How long the mark phases of the GC took.").add(&c.marks)
	}
	e.pauses("go.memory.gc.pause.duration", "Distribution of individual GC-related stop-the-world pause latencies. This is the time from deciding to stop the world until the world is started again.", c.gcPauses)
	e.pauses("go.pause.duration", "The same of the stop-the-world pauses that are not for the GC.", c.otherPauses)
}

// pauses adds stop-the-world pauses by reason, if there are any.
func (e *encoder) pauses(name, description string, byReason durations) {
	if len(byReason) == 0 {
		return
	}
	h := e.histogram(name, description)
	for _, reason := range slices.Sorted(maps.Keys(byReason)) {
		h.add(byReason[reason], "go.reason", reason)
	}
}

// latencies adds the units of work of one kind by type, if there are any.
func (e *encoder) latencies(name, description, attribute string, x types) {
	if len(x.known) == 0 {
		return
	}
	h := e.histogram(name, description)
	for _, typ := range slices.Sorted(maps.Keys(x.known)) {
		h.add(x.known[typ], attribute, typ)
	}
	if x.others.count > 0 {
		h.add(&x.others).Attributes().PutBool("otel.metric.overflow", true)
	}
}
