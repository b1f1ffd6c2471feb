-- What does the garbage collector cost, and which functions pay?
--
-- One row for each start function and kind of work, the most CPU time first.
--
--   function   what the go statement started
--   work       'GC mark assist': marking that a goroutine has to do because it
--              allocates while the GC marks
--              'GC incremental sweep': sweeping that it has to do to allocate
--              'GC (dedicated)', 'GC (fractional)', 'GC (idle)': the mark workers, in
--              their modes; idle ones only use Ps that have nothing else to do
--              'background sweep', 'background scavenge': all runs of the runtime's
--              goroutines for these
--   times      how often
--   wall_ms    time from beginning to end, also of what was interrupted by waits
--   cpu_ms     time on a P in it
--   percent    of the time that the function's goroutines had a P
--
-- '(no goroutine)' is the scheduler when it sweeps, or a goroutine that is not known.
--
-- Many assists in a function: allocate less there, or raise GOGC or GOMEMLIMIT. The
-- pauses are in stop_the_world.sql. The time of allocating itself is not here.

CREATE OR REPLACE PERFETTO TABLE go_gc_work AS
SELECT
  s.ts, iif(s.dur = -1, trace_end() - s.ts, s.dur) AS dur, tt.utid, s.name AS work
FROM slice AS s
JOIN thread_track AS tt ON tt.id = s.track_id
WHERE s.category = 'gc';

CREATE OR REPLACE PERFETTO TABLE go_running AS
SELECT ts, dur, utid
FROM thread_state
WHERE state = 'Running' AND dur > 0;

-- The work again, cut to when it ran.
DROP TABLE IF EXISTS go_gc_running;

CREATE VIRTUAL TABLE go_gc_running
USING SPAN_JOIN(go_gc_work PARTITIONED utid, go_running PARTITIONED utid);

WITH
  running AS (
    SELECT t.upid, count(*) AS times, sum(r.dur) AS dur
    FROM go_running AS r
    JOIN thread AS t USING (utid)
    GROUP BY t.upid
  ),
  wall AS (
    SELECT t.upid, w.work, count(*) AS times, sum(w.dur) AS dur
    FROM go_gc_work AS w
    JOIN thread AS t USING (utid)
    GROUP BY t.upid, w.work
  ),
  cpu AS (
    SELECT t.upid, r.work, sum(r.dur) AS dur
    FROM go_gc_running AS r
    JOIN thread AS t USING (utid)
    GROUP BY t.upid, r.work
  )
SELECT
  p.name AS function, wall.work, wall.times, wall.dur / 1e6 AS wall_ms,
  coalesce(cpu.dur, 0) / 1e6 AS cpu_ms, round(100.0 * cpu.dur / running.dur, 2) AS percent
FROM wall
JOIN process AS p USING (upid)
LEFT JOIN cpu USING (upid, work)
LEFT JOIN running USING (upid)
UNION ALL
SELECT
  p.name, iif(p.name = 'runtime.bgsweep', 'background sweep', 'background scavenge'),
  r.times, r.dur / 1e6, r.dur / 1e6, 100.0
FROM running AS r
JOIN process AS p USING (upid)
WHERE p.name IN ('runtime.bgsweep', 'runtime.bgscavenge')
UNION ALL
SELECT '(no goroutine)', s.name, count(*), sum(s.dur) / 1e6, sum(s.dur) / 1e6, NULL
FROM slice AS s
WHERE s.category = 'gc' AND s.name IN ('GC incremental sweep', 'GC mark assist')
  AND s.track_id NOT IN (SELECT id FROM thread_track)
GROUP BY s.name
ORDER BY cpu_ms DESC;
