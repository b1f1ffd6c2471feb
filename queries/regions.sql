-- How long do the regions of runtime/trace take, and in which states?
--
-- One row for each type of region and start function, the longest total first.
-- Regions that were open when the trace ended are counted in 'open' only.
--
--   region, function        type of the region, and the start function of the
--                           goroutines that it is in
--   regions, open           how many ended, and how many had not
--   p50_us, p99_us, max_us  how long one took; the percentiles are interpolated
--   total_ms                all of them together, which is the sum of
--   running_ms              on a P, running or in a system call that kept it
--   runnable_ms             waiting for a P
--   waiting_ms              blocked in Go: channels, locks, network, timers, ...
--   syscall_ms              in system calls without a P
--   id, ts, dur, track_id   the longest region: a click on id leads there
--
-- Regions nest: what is inside an inner one is in the outer ones too.

INCLUDE PERFETTO MODULE slices.time_in_state;

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

WITH in_state AS (
  SELECT
    id,
    sum(iif(state = 'Running', dur, 0)) AS running,
    sum(iif(state = 'R', dur, 0)) AS runnable,
    sum(iif(state = 'S', dur, 0)) AS waiting,
    sum(iif(state = 'D', dur, 0)) AS syscall
  FROM thread_slice_time_in_state
  GROUP BY id
)
SELECT
  s.name AS region, n.function,
  sum(s.dur != -1) AS regions, sum(s.dur = -1) AS open,
  percentile(nullif(s.dur, -1), 50) / 1e3 AS p50_us,
  percentile(nullif(s.dur, -1), 99) / 1e3 AS p99_us,
  max(nullif(s.dur, -1)) / 1e3 AS max_us,
  sum(nullif(s.dur, -1)) / 1e6 AS total_ms,
  sum(i.running) / 1e6 AS running_ms, sum(i.runnable) / 1e6 AS runnable_ms,
  sum(i.waiting) / 1e6 AS waiting_ms, sum(i.syscall) / 1e6 AS syscall_ms,
  s.id, s.ts, s.dur, s.track_id -- of the region with the maximum
FROM slice AS s
JOIN thread_track AS tt ON tt.id = s.track_id
JOIN go_lane AS n USING (utid)
LEFT JOIN in_state AS i ON i.id = s.id
WHERE s.category = 'region'
GROUP BY s.name, n.function
ORDER BY total_ms DESC;
