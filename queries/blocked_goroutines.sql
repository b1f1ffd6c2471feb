-- Which goroutines are blocked the longest, why and where?
--
-- One row for each goroutine, reason and place, the longest total first; the
-- runtime's own goroutines come last. blocked_functions.sql has the same without
-- the goroutines: begin there if there are thousands of them.
--
--   goroutine, function    G1234, and what the go statement started
--   reason, place          why and where, as in blocked_functions.sql
--   waits                  how often
--   total_ms, max_ms       time blocked, and the longest wait
--   percent                of the goroutine's lifetime in the trace
--   id, ts, dur, track_id  its slice: a click on id leads there. A goroutine that
--                          was alive when the trace ended has its dur up to then
--
-- The first 1000 rows: raise LIMIT for more.

-- Times in which a goroutine was blocked. The blocked function is the reason, and, if the
-- trace has the stack, ' at ' with its place.
CREATE OR REPLACE PERFETTO TABLE go_blocked AS
SELECT
  utid, ts, dur,
  iif(
    state = 'D', 'syscall',
    substr(blocked_function, 1, instr(blocked_function || ' at ', ' at ') - 1)
  ) AS reason,
  iif(
    instr(blocked_function, ' at '),
    substr(blocked_function, instr(blocked_function, ' at ') + 4),
    '(no stack)'
  ) AS place
FROM thread_state
WHERE state IN ('S', 'D') AND dur > 0;

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

CREATE OR REPLACE PERFETTO VIEW go_lifetime AS
SELECT id AS goroutine_id, ts, dur, utid
FROM go_goroutine;

-- Lanes go from goroutine to goroutine: who was blocked?
DROP TABLE IF EXISTS go_blocked_goroutine;

CREATE VIRTUAL TABLE go_blocked_goroutine
USING SPAN_JOIN(go_blocked PARTITIONED utid, go_lifetime PARTITIONED utid);

SELECT
  g.goroutine, g.function, b.reason, b.place,
  count(*) AS waits, sum(b.dur) / 1e6 AS total_ms, max(b.dur) / 1e6 AS max_ms,
  round(100.0 * sum(b.dur) / g.dur, 2) AS percent,
  g.id, g.ts, g.dur, g.track_id
FROM go_blocked_goroutine AS b
JOIN go_goroutine AS g ON g.id = b.goroutine_id
GROUP BY g.id, b.reason, b.place
ORDER BY g.function GLOB 'runtime[./]*', total_ms DESC
LIMIT 1000;
