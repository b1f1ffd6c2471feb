-- Which functions wake which?
--
-- A goroutine becomes runnable because another one creates it or ends its wait (by
-- a send, an unlock, a Done, ...), or because the scheduler does, for the network, a
-- timer or a system call that returned. One row for each pair of start functions
-- and reason, the most frequent first.
--
--   waker        start function of the goroutine that did it, or '(scheduler)'
--   woken        start function of the goroutine that became runnable
--   ended        the wait that it ended, in the runtime's words; 'syscall' is a
--                system call without a P, '(go statement)' the creation
--   times        how often
--   waited_ms    how long these waits had lasted, all together
--   p50_us, max_us  from the waking until the woken goroutine ran
--
-- Begin with a function that is blocked long: its wakers are what it waits for, and
-- their wakers are what those wait for.

-- The start function of each lane. The runtime's own goroutines are one process: there
-- the lane has the name of the function.
CREATE OR REPLACE PERFETTO TABLE go_lane AS
SELECT
  t.utid, t.tid,
  iif(p.name = 'runtime', substr(t.name, instr(t.name, ' ') + 1), p.name) AS function
FROM thread AS t
JOIN process AS p USING (upid);

SELECT
  iif(s.irq_context, '(scheduler)', w.function) AS waker,
  n.function AS woken,
  CASE s.previous
    WHEN 'S' THEN substr(s.reason, 1, instr(s.reason || ' at ', ' at ') - 1)
    WHEN 'D' THEN 'syscall'
    ELSE '(go statement)'
  END AS ended,
  count(*) AS times,
  sum(iif(s.previous IN ('S', 'D'), s.waited, 0)) / 1e6 AS waited_ms,
  percentile(iif(s.next = 'Running', s.dur, NULL), 50) / 1e3 AS p50_us,
  max(iif(s.next = 'Running', s.dur, NULL)) / 1e3 AS max_us
FROM (
  SELECT
    utid, state, dur, waker_utid, irq_context,
    lag(state) OVER lane AS previous,
    lag(blocked_function) OVER lane AS reason,
    lag(dur) OVER lane AS waited,
    lead(state) OVER lane AS next
  FROM thread_state
  WINDOW lane AS (PARTITION BY utid ORDER BY ts)
) AS s
JOIN go_lane AS n USING (utid)
LEFT JOIN go_lane AS w ON w.utid = s.waker_utid
WHERE s.state = 'R' AND s.waker_utid IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY times DESC;
