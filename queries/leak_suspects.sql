-- Which goroutines may have leaked?
--
-- Those that are blocked from before the trace to its end, in one and the same wait.
-- One row for each start function, reason and place, the most goroutines first; the
-- runtime's own are left out.
--
--   function    what the go statement started
--   reason      why it waits, in the runtime's words; 'syscall' is a system call
--   place       the innermost call in the program's code, with its line
--   goroutines  how many
--   example     one of them
--   id, ts, dur, track_id  its slice: a click on id leads there
--
-- A suspect need not be a leak: what waits for a signal, a shutdown or the next
-- connection is here too. Look first at rows with many goroutines, and at all rows if
-- the trace is long. Compare with a later trace: what leaks grows.
-- Traces of Go 1.21 and earlier do not tell what was before them: all goroutines from
-- then, the runtime's too, are in one row of an unknown function.

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

SELECT
  g.function, b.reason, b.place,
  count(*) AS goroutines, g.goroutine AS example,
  min(g.id) AS id, g.ts, g.dur, g.track_id -- of the goroutine with this id
FROM go_goroutine AS g
JOIN go_blocked AS b USING (utid, ts, dur) -- one wait, as long as the goroutine
WHERE g.ts = trace_start() AND g.function NOT GLOB 'runtime[./]*'
GROUP BY g.function, b.reason, b.place
ORDER BY goroutines DESC, g.function, b.place;
