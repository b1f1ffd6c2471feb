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
-- a pool or a server wait for work most of the time. Waits whose stack is not in the
-- trace are in '(no stack)'.

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

SELECT
  n.function, b.reason, b.place,
  count(*) AS waits, sum(b.dur) / 1e6 AS total_ms,
  percentile(b.dur, 50) / 1e6 AS p50_ms, max(b.dur) / 1e6 AS max_ms
FROM go_blocked AS b
JOIN go_lane AS n USING (utid)
GROUP BY n.function, b.reason, b.place
ORDER BY n.function GLOB 'runtime[./]*', total_ms DESC;
