-- Where are goroutines started, how many, and how long do they live?
--
-- One row for each place of a go statement and start function, the most goroutines
-- first: churn, and growth.
--
--   place        where the go statement is, with its line
--   function     what it started
--   goroutines   how many it started in the trace
--   per_second   the same as a rate
--   alive        how many of them had not ended when the trace did
--   p50_us, max_ms  how long those that ended lived
--   cpu_ms       time on a P of all of them together
--   p50_cpu_us   the median of one of them: if it is a few µs, starting it cost a good
--                part of that
--
-- Goroutines from before the trace are not here.

-- The place of a stack: its innermost call that is not in a package by which programs
-- block; if all are, what the goroutine was started for.
CREATE OR REPLACE PERFETTO FUNCTION go_is_mechanism(function STRING)
RETURNS BOOL AS
SELECT $function GLOB 'runtime[./]*' OR $function GLOB 'internal/*'
  OR $function GLOB 'sync[./]*' OR $function GLOB 'syscall.*'
  OR $function GLOB 'time.*' OR $function GLOB 'os.*' OR $function GLOB 'net.*'
  OR $function GLOB 'iter.*' OR $function GLOB 'golang.org/x/sys/unix.*';

CREATE OR REPLACE PERFETTO TABLE go_place AS
WITH RECURSIVE
  up(callsite_id, at, is_mechanism, is_gowrap) AS (
    SELECT c.id, c.id, go_is_mechanism(f.name), f.name GLOB '*.gowrap*'
    FROM stack_profile_callsite AS c
    JOIN stack_profile_frame AS f ON f.id = c.frame_id
    UNION ALL
    SELECT up.callsite_id, c.parent_id, go_is_mechanism(f.name), f.name GLOB '*.gowrap*'
    FROM up
    JOIN stack_profile_callsite AS c ON c.id = up.at
    JOIN stack_profile_callsite AS p ON p.id = c.parent_id
    JOIN stack_profile_frame AS f ON f.id = p.frame_id
    WHERE up.is_mechanism
  ),
  chosen AS (
    SELECT
      callsite_id,
      coalesce( -- a caller has a smaller id than what it calls
        max(iif(is_mechanism, NULL, at)), min(iif(is_gowrap, NULL, at)), callsite_id
      ) AS at
    FROM up
    GROUP BY callsite_id
  )
SELECT chosen.callsite_id, f.name || ':' || y.line_number AS place
FROM chosen
JOIN stack_profile_callsite AS c ON c.id = chosen.at
JOIN stack_profile_frame AS f ON f.id = c.frame_id
LEFT JOIN stack_profile_symbol AS y ON y.symbol_set_id = f.symbol_set_id;

CREATE OR REPLACE PERFETTO TABLE go_slice_place AS
SELECT k.slice_id, l.place
FROM __intrinsic_track_event_callstacks AS k
JOIN go_place AS l USING (callsite_id);

CREATE OR REPLACE PERFETTO INDEX go_slice_place_id ON go_slice_place(slice_id);

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

CREATE OR REPLACE PERFETTO TABLE go_running AS
SELECT ts, dur, utid
FROM thread_state
WHERE state = 'Running' AND dur > 0;

-- Lanes go from goroutine to goroutine: who ran?
DROP TABLE IF EXISTS go_goroutine_running;

CREATE VIRTUAL TABLE go_goroutine_running
USING SPAN_JOIN(go_lifetime PARTITIONED utid, go_running PARTITIONED utid);

CREATE OR REPLACE PERFETTO TABLE go_goroutine_cpu AS
SELECT goroutine_id, sum(dur) AS cpu
FROM go_goroutine_running
GROUP BY goroutine_id;

CREATE OR REPLACE PERFETTO INDEX go_goroutine_cpu_id ON go_goroutine_cpu(goroutine_id);

SELECT
  coalesce(l.place, '(no stack)') AS place, g.function,
  count(*) AS goroutines, round(count(*) * 1e9 / trace_dur(), 1) AS per_second,
  sum(NOT g.ended) AS alive,
  percentile(iif(g.ended, g.dur, NULL), 50) / 1e3 AS p50_us,
  max(iif(g.ended, g.dur, NULL)) / 1e6 AS max_ms,
  sum(coalesce(c.cpu, 0)) / 1e6 AS cpu_ms,
  percentile(coalesce(c.cpu, 0), 50) / 1e3 AS p50_cpu_us
FROM go_goroutine AS g
LEFT JOIN go_slice_place AS l ON l.slice_id = g.id
LEFT JOIN go_goroutine_cpu AS c ON c.goroutine_id = g.id
WHERE g.id NOT IN (
  SELECT id FROM slice
  WHERE category = 'goroutine' AND extract_arg(arg_set_id, 'debug.began before the trace')
)
GROUP BY l.place, g.function
ORDER BY goroutines DESC;
