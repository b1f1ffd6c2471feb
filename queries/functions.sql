-- Which functions do the goroutines come from, and what do they do all day?
--
-- One row for each start function, the busiest first.
--
--   function       what the go statement started
--   goroutines     how many of them there were, in the whole trace
--   running_ms     time on a P, running or in a system call that kept the P
--   cpu_percent    of the running time of all functions
--   runnable_ms    time waiting for a P
--   waiting_ms     time blocked in Go: channels, locks, network, timers, ...
--   syscall_ms     time in system calls (and calls of C) without a P
--   runs           how often one of them got a P
--
-- Short runs (running_ms / runs) and much time runnable mean that much of the time goes
-- into switching.

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
  g.goroutines,
  sum(iif(s.state = 'Running', s.dur, 0)) / 1e6 AS running_ms,
  round(
    100.0 * sum(iif(s.state = 'Running', s.dur, 0))
    / sum(sum(iif(s.state = 'Running', s.dur, 0))) OVER (), 2
  ) AS cpu_percent,
  sum(iif(s.state = 'R', s.dur, 0)) / 1e6 AS runnable_ms,
  sum(iif(s.state = 'S', s.dur, 0)) / 1e6 AS waiting_ms,
  sum(iif(s.state = 'D', s.dur, 0)) / 1e6 AS syscall_ms,
  sum(s.state = 'Running') AS runs
FROM thread_state AS s
JOIN go_lane AS n USING (utid)
JOIN (
  SELECT function, count(*) AS goroutines
  FROM slice
  JOIN thread_track AS tt ON tt.id = slice.track_id
  JOIN go_lane USING (utid)
  WHERE category = 'goroutine'
  GROUP BY function
) AS g USING (function)
WHERE s.dur > 0
GROUP BY n.function
ORDER BY running_ms DESC;
