-- How many goroutines wait for a P, over time, and are there Ps for them?
--
-- One row for each hundredth of the trace.
--
--   ts, dur       the interval: 'Add debug track' shows the rows on the timeline
--   from_ms       its beginning, since the trace began
--   gomaxprocs    how many Ps there are, at most
--   busy_ps       how many of them run goroutines, on average; those in a system
--                 call that has not lost its P count
--   runnable      how many goroutines wait for a P, on average
--   max_runnable  the most goroutines that waited for a P at a time
--   short_ms      how long there were more runnable goroutines than idle Ps
--   short_percent the same as a part of the interval
--
-- Some microseconds of short_ms are normal: a P takes its next goroutine from the
-- queue when the last one stops. Long intervals at 100 % with all Ps busy mean that
-- the program needs more Ps, or less work (functions.sql). During a stop-the-world
-- pause the Ps are idle here although none may run (stop_the_world.sql).

CREATE OR REPLACE PERFETTO TABLE go_queue_change AS
WITH RECURSIVE
  bound(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM bound WHERE i < 100),
  gomaxprocs AS (
    SELECT
      -- Before the first sample, the value is that of the first sample.
      iif(lag(c.ts) OVER (ORDER BY c.ts) IS NULL, trace_start(), c.ts) AS ts,
      c.value - lag(c.value, 1, 0) OVER (ORDER BY c.ts) AS change
    FROM counter AS c
    JOIN counter_track AS t ON t.id = c.track_id
    WHERE t.name = 'GOMAXPROCS'
  ),
  change AS (
    SELECT ts, state = 'R' AS runnable, state = 'Running' AS busy, 0 AS ps
    FROM thread_state
    WHERE state IN ('R', 'Running') AND dur > 0
    UNION ALL
    SELECT ts + dur, -(state = 'R'), -(state = 'Running'), 0
    FROM thread_state
    WHERE state IN ('R', 'Running') AND dur > 0
    UNION ALL
    SELECT ts, 0, 0, change FROM gomaxprocs
    UNION ALL
    SELECT trace_start() + (trace_dur() * i + 99) / 100, 0, 0, 0 FROM bound
  ),
  moment AS (
    SELECT ts, sum(runnable) AS runnable, sum(busy) AS busy, sum(ps) AS ps
    FROM change
    GROUP BY ts
  )
SELECT
  ts, lead(ts) OVER (ORDER BY ts) - ts AS dur,
  sum(runnable) OVER (ORDER BY ts) AS runnable,
  sum(busy) OVER (ORDER BY ts) AS busy,
  sum(ps) OVER (ORDER BY ts) AS ps
FROM moment;

SELECT
  min(ts) AS ts, sum(dur) AS dur,
  (min(ts) - trace_start()) / 1e6 AS from_ms,
  cast(max(ps) AS INT) AS gomaxprocs,
  1.0 * sum(dur * busy) / sum(dur) AS busy_ps,
  1.0 * sum(dur * runnable) / sum(dur) AS runnable,
  max(runnable) AS max_runnable,
  sum(iif(runnable > ps - busy, dur, 0)) / 1e6 AS short_ms,
  round(100.0 * sum(iif(runnable > ps - busy, dur, 0)) / sum(dur), 2) AS short_percent
FROM go_queue_change
WHERE dur > 0
GROUP BY min(99, (ts - trace_start()) * 100 / trace_dur())
ORDER BY ts;
