-- Where in the timeline do goroutines wait the longest for a P?
--
-- Scheduling latency as in sched_latency_by_function.sql, but one row for each lane
-- (a thread in the UI), the longest latency first.
--
--   function, lane          the start function, and the tid of the lane
--   latencies               how often goroutines of this lane waited for a P
--   p50_us, p99_us, max_us  how long one took; the percentiles are interpolated
--   total_ms                all of them together
--   id                      the longest of them: with 'Interpret id as:
--                           thread_state.id', a click leads there

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
  n.function, n.tid AS lane,
  count(*) AS latencies,
  percentile(l.latency_dur, 50) / 1e3 AS p50_us,
  percentile(l.latency_dur, 99) / 1e3 AS p99_us,
  max(l.latency_dur) / 1e3 AS max_us,
  sum(l.latency_dur) / 1e6 AS total_ms,
  l.runnable_latency_id AS id -- SQLite takes it from the row with the maximum
FROM sched_latency_for_running_interval AS l
JOIN thread_state AS r ON r.id = l.runnable_latency_id
-- Behind a damaged part of the trace, it ran without having been runnable.
JOIN thread_state AS x ON x.id = l.thread_state_id AND x.ts = r.ts + r.dur
JOIN go_lane AS n ON n.utid = l.utid
GROUP BY l.utid
ORDER BY max_us DESC;
