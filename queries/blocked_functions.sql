-- Which functions are blocked, why and where?
--
-- One row for each start function, reason and place, the longest total first;
-- the runtime's own goroutines come last.
--
--   function          what the go statement started
--   reason            why it waits, in the runtime's words; 'syscall' is a system
--                     call that lost its P
--   place             the innermost call in the program's code, with its line
--   waits             how often
--   total_ms          time blocked, of all goroutines together
--   p50_ms, max_ms    how long one wait took
--
-- A long total is a cause only if somebody waits for these goroutines: the goroutines of
-- a pool or a server wait for work most of the time. Waits and system calls shorter than
-- 10 µs (--min-block), and those whose stack is not in the trace, are in '(no stack)'.

-- The place of a stack: its innermost call that is not in a package by which programs
-- block; if all are, what the goroutine was started for.
CREATE OR REPLACE PERFETTO FUNCTION go_is_mechanism(function STRING)
RETURNS BOOL AS
SELECT $function GLOB 'runtime[./]*' OR $function GLOB 'internal/*'
  OR $function GLOB 'sync[./]*' OR $function GLOB 'syscall.*'
  OR $function GLOB 'time.*' OR $function GLOB 'os.*' OR $function GLOB 'net.*'
  OR $function GLOB 'golang.org/x/sys/unix.*';

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

-- The stacks at which waits and system calls began. A wait begins with its slice;
-- the time that a system call is blocked, without a P, ends with its slice.
CREATE OR REPLACE PERFETTO TABLE go_blocking_stack AS
SELECT
  tt.utid, s.category = 'syscall' AS is_syscall, l.place,
  iif(s.category = 'wait', s.ts, iif(s.dur = -1, trace_end(), s.ts + s.dur)) AS at
FROM slice AS s
JOIN thread_track AS tt ON tt.id = s.track_id
JOIN go_slice_place AS l ON l.slice_id = s.id
WHERE s.category IN ('wait', 'syscall');

CREATE OR REPLACE PERFETTO INDEX go_blocking_stack_at ON go_blocking_stack(utid, at);

CREATE OR REPLACE PERFETTO TABLE go_blocked AS
SELECT
  b.utid, b.ts, b.dur, iif(b.state = 'D', 'syscall', b.blocked_function) AS reason,
  coalesce(s.place, '(no stack)') AS place
FROM thread_state AS b
LEFT JOIN go_blocking_stack AS s
  ON s.utid = b.utid
  AND s.at = iif(b.state = 'S', b.ts, b.ts + b.dur)
  AND s.is_syscall = (b.state = 'D')
WHERE b.state IN ('S', 'D') AND b.dur > 0;

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

SELECT
  n.function, b.reason, b.place,
  count(*) AS waits, sum(b.dur) / 1e6 AS total_ms,
  percentile(b.dur, 50) / 1e6 AS p50_ms, max(b.dur) / 1e6 AS max_ms
FROM go_blocked AS b
JOIN go_lane AS n USING (utid)
GROUP BY n.function, b.reason, b.place
ORDER BY n.function GLOB 'runtime[./]*', total_ms DESC;
