-- How long do the goroutines of each function wait for a P?
--
-- Scheduling latency: from when a goroutine is runnable (created, woken, preempted,
-- back from a system call) until it runs. One row for each start function, the
-- longest total first.
--
--   function                what the go statement started
--   latencies               how often its goroutines waited for a P
--   no_waker                how many of these no goroutine caused: after a preemption,
--                           a yield or a system call, or by the scheduler (network,
--                           timers)
--   p50_us, p99_us, max_us  how long one took; the percentiles are interpolated
--   total_ms                all of them together
--
-- A p99 of several ms in a function that serves requests means that there are too
-- few Ps for the load (runnable_queue.sql) or that others keep them
-- (functions.sql, stop_the_world.sql). A goroutine that was still runnable when the
-- trace ended is left out.

INCLUDE PERFETTO MODULE sched.latency;

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

SELECT
  n.function,
  count(*) AS latencies,
  sum(r.waker_utid IS NULL OR r.irq_context) AS no_waker,
  percentile(l.latency_dur, 50) / 1e3 AS p50_us,
  percentile(l.latency_dur, 99) / 1e3 AS p99_us,
  max(l.latency_dur) / 1e3 AS max_us,
  sum(l.latency_dur) / 1e6 AS total_ms
FROM sched_latency_for_running_interval AS l
JOIN thread_state AS r ON r.id = l.runnable_latency_id
-- Behind a damaged part of the trace, it ran without having been runnable.
JOIN thread_state AS x ON x.id = l.thread_state_id AND x.ts = r.ts + r.dur
JOIN go_lane AS n ON n.utid = l.utid
GROUP BY n.function
ORDER BY total_ms DESC;
