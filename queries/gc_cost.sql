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

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

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
    SELECT n.function, count(*) AS times, sum(r.dur) AS dur
    FROM go_running AS r
    JOIN go_lane AS n USING (utid)
    GROUP BY n.function
  ),
  wall AS (
    SELECT n.function, w.work, count(*) AS times, sum(w.dur) AS dur
    FROM go_gc_work AS w
    JOIN go_lane AS n USING (utid)
    GROUP BY n.function, w.work
  ),
  cpu AS (
    SELECT n.function, r.work, sum(r.dur) AS dur
    FROM go_gc_running AS r
    JOIN go_lane AS n USING (utid)
    GROUP BY n.function, r.work
  )
SELECT
  wall.function, wall.work, wall.times, wall.dur / 1e6 AS wall_ms,
  coalesce(cpu.dur, 0) / 1e6 AS cpu_ms, round(100.0 * cpu.dur / running.dur, 2) AS percent
FROM wall
LEFT JOIN cpu USING (function, work)
LEFT JOIN running USING (function)
UNION ALL
SELECT
  r.function, iif(r.function = 'runtime.bgsweep', 'background sweep', 'background scavenge'),
  r.times, r.dur / 1e6, r.dur / 1e6, 100.0
FROM running AS r
WHERE r.function IN ('runtime.bgsweep', 'runtime.bgscavenge')
UNION ALL
SELECT '(no goroutine)', s.name, count(*), sum(s.dur) / 1e6, sum(s.dur) / 1e6, NULL
FROM slice AS s
WHERE s.category = 'gc' AND s.name IN ('GC incremental sweep', 'GC mark assist')
  AND s.track_id NOT IN (SELECT id FROM thread_track)
GROUP BY s.name
ORDER BY cpu_ms DESC;
