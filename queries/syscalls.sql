-- Which system calls take long, and which lose their P?
--
-- A goroutine in a system call (or in C code) keeps its P, so that it can go on at
-- once. If the call takes long, the runtime gives the P to others, and the goroutine
-- has to wait for one afterwards. One row for each start function and place, the
-- longest time without a P first.
--
--   function      what the go statement started
--   place         the innermost call in the program's code, with its line
--   calls         how many system calls
--   total_ms      time in them
--   p50_us, max_ms  how long one took
--   lost_p        how many of them lost their P
--   without_p_ms  time in these after that
--   id, ts, dur, track_id  the longest call: a click on id leads there
--
-- Only calls with a slice are here: not those shorter than 10 µs (--min-block), and of
-- those shorter than 1 ms the first 2,000 of each start function (--short-waits). Very
-- short ones the runtime does not trace as calls (Go 1.21 and earlier leave out more).

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

SELECT
  n.function, coalesce(l.place, '(no stack)') AS place,
  count(*) AS calls, sum(s.len) / 1e6 AS total_ms,
  percentile(s.len, 50) / 1e3 AS p50_us, max(s.len) / 1e6 AS max_ms,
  sum(s.blocked > 0) AS lost_p, sum(s.blocked) / 1e6 AS without_p_ms,
  s.id, s.ts, s.dur, s.track_id -- of the call with the maximum
FROM (
  SELECT
    id, ts, dur, track_id, iif(dur = -1, trace_end() - ts, dur) AS len,
    coalesce(extract_arg(arg_set_id, 'debug.blocked without a P (ns)'), 0) AS blocked
  FROM slice
  WHERE category = 'syscall'
) AS s
JOIN thread_track AS tt ON tt.id = s.track_id
JOIN go_lane AS n USING (utid)
LEFT JOIN go_slice_place AS l ON l.slice_id = s.id
GROUP BY n.function, l.place
ORDER BY without_p_ms DESC, total_ms DESC;
