-- Which pauses stopped the world the longest, and what ran in them?
--
-- A pause lasts from the wish to stop all goroutines until they may run again. One
-- row for each pause and start function that had a P during it, the longest pause
-- first.
--
--   pause          why the world was stopped
--   pause_us       how long
--   stopped_by     start function of the goroutine that stopped it; empty if unknown
--   ran            start function of goroutines that had a P then, the one that
--                  stopped the world among them; empty if none had
--   ran_us         how long, together
--   last_stop_us   when the last of them stopped, since the pause began
--   id, ts, dur, track_id  the pause: a click on id leads there
--
-- Look at long ones for a function that ran late into the pause: a loop that cannot be
-- preempted, or a goroutine that got no CPU from the operating system.

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

-- Goroutines: the slice of each, with the thread that is its lane.
CREATE OR REPLACE PERFETTO TABLE go_goroutine AS
SELECT
  s.id, s.ts, iif(s.dur = -1, trace_end() - s.ts, s.dur) AS dur, s.track_id,
  tt.utid, s.name AS goroutine, n.function, s.dur != -1 AS ended
FROM slice AS s
JOIN thread_track AS tt ON tt.id = s.track_id
JOIN go_lane AS n USING (utid)
WHERE s.category = 'goroutine';

CREATE OR REPLACE PERFETTO TABLE go_pause AS
SELECT id AS pause_id, ts, iif(dur = -1, trace_end() - ts, dur) AS dur
FROM slice
WHERE category = 'stw' AND dur != 0;

CREATE OR REPLACE PERFETTO TABLE go_ran AS
SELECT ts, dur, utid, ucpu
FROM sched
WHERE utid IN (SELECT utid FROM thread_track) AND dur > 0;

DROP TABLE IF EXISTS go_ran_in_pause;

CREATE VIRTUAL TABLE go_ran_in_pause
USING SPAN_JOIN(go_pause, go_ran PARTITIONED ucpu);

WITH ran AS (
  SELECT
    r.pause_id, n.function, sum(r.dur) AS dur,
    max(r.ts + r.dur) AS last_stop
  FROM go_ran_in_pause AS r
  JOIN go_lane AS n USING (utid)
  GROUP BY r.pause_id, n.function
)
SELECT
  s.name AS pause, g.dur / 1e3 AS pause_us,
  (
    SELECT function
    FROM go_goroutine AS by
    WHERE by.goroutine = extract_arg(s.arg_set_id, 'debug.goroutine')
      AND by.ts <= s.ts AND by.ts + by.dur >= s.ts
  ) AS stopped_by,
  ran.function AS ran, ran.dur / 1e3 AS ran_us,
  (ran.last_stop - s.ts) / 1e3 AS last_stop_us,
  s.id, s.ts, s.dur, s.track_id
FROM go_pause AS g
JOIN slice AS s ON s.id = g.pause_id
LEFT JOIN ran USING (pause_id)
ORDER BY pause_us DESC, s.ts, ran_us DESC;
