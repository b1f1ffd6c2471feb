-- Which goroutines, in which states, took the time of the slowest task?
--
-- The critical path of the longest task of runtime/trace that began and ended in the
-- trace. It begins with the goroutine that ended the task, and goes back in time. While
-- that goroutine waited for another one, the path has the time of the other one, with
-- what that one waited for, and so on. Before a goroutine was created, the path has the
-- time of its creator. Each moment of the task is in one row, so the rows add up to it.
--
--   goroutine, function  who was on the path, and what the go statement started
--   state, reason        in which state: 'running' (or in a system call with its P),
--                        'runnable' (waits for a P), 'waiting' (and for what: this
--                        stands here if no goroutine ended it, but the network, a
--                        timer or a system call), 'not created yet',
--                        'unknown' (where the trace is damaged)
--   ms, percent          how much of the path that is
--   times                in how many pieces
--   task, task_ms        the task, and its duration
--
-- The top rows are what to make faster. To see the path on the timeline, run
-- SELECT * FROM go_critical_path afterwards and choose 'Add debug track'. For another
-- task, change what is marked with 'which task'.
--
-- The UI's 'Critical path lite' is another path: it follows the goroutine that ended a
-- wait back to times before that wait. Here the path goes back to the goroutine that
-- waited, with what it did before the wait.

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

CREATE OR REPLACE PERFETTO TABLE go_critical_interval AS
SELECT
  g.utid, g.ts AS created, t.ts, t.ts + t.dur AS ts_end, t.name,
  extract_arg(t.arg_set_id, 'debug.task') AS task
FROM slice AS t
JOIN go_goroutine AS g
  ON g.goroutine = coalesce(
    extract_arg(t.arg_set_id, 'debug.ended by goroutine'),
    extract_arg(t.arg_set_id, 'debug.goroutine'))
  AND g.ts <= t.ts + t.dur AND g.ts + g.dur >= t.ts + t.dur
WHERE t.category = 'task' AND t.dur > 0
  AND extract_arg(t.arg_set_id, 'debug.began before the trace') IS NULL
ORDER BY t.dur DESC, t.ts -- which task
LIMIT 1;

CREATE OR REPLACE PERFETTO INDEX go_goroutine_utid ON go_goroutine(utid, ts);

-- The states that goroutines were in during the interval, and, as one of them, not
-- being created yet, which goes back to its beginning. Where another goroutine ended
-- it (by waking, by creating), waker_utid is its lane.
CREATE OR REPLACE PERFETTO TABLE go_state AS
WITH
  state AS (
    SELECT
      s.utid, s.ts, s.dur, s.state,
      iif(
        s.state = 'D', 'syscall',
        substr(s.blocked_function, 1, instr(s.blocked_function || ' at ', ' at ') - 1)
      ) AS reason,
      lead(s.state) OVER lane AS next,
      lead(iif(s.irq_context, NULL, s.waker_utid)) OVER lane AS next_waker_utid
    FROM thread_state AS s, go_critical_interval AS i
    WHERE s.dur > 0 AND s.ts < i.ts_end AND s.ts + s.dur > i.ts
    WINDOW lane AS (PARTITION BY s.utid ORDER BY s.ts)
  )
SELECT
  utid, ts, ts + dur AS ts_end, reason,
  CASE state
    WHEN 'Running' THEN 'running'
    WHEN 'R' THEN 'runnable'
    WHEN 'S' THEN 'waiting'
    WHEN 'T' THEN 'unknown'
    ELSE 'in a system call, without a P'
  END AS state,
  iif(state = 'S' AND next = 'R', next_waker_utid, NULL) AS waker_utid,
  FALSE AS is_before
FROM state
WHERE state IN ('Running', 'R', 'S', 'D', 'T')
UNION ALL
SELECT
  g.utid, i.ts, g.ts, NULL, 'not created yet',
  (
    SELECT iif(s.irq_context, NULL, s.waker_utid)
    FROM thread_state AS s
    WHERE s.utid = g.utid AND s.ts = g.ts AND s.state = 'R'
  ),
  TRUE
FROM go_goroutine AS g, go_critical_interval AS i
WHERE g.ts > i.ts AND g.ts < i.ts_end;

CREATE OR REPLACE PERFETTO INDEX go_state_utid ON go_state(utid, ts_end);

-- The parts of the path: the whole interval, and then, for each state in a part that
-- another goroutine ended, that goroutine during that state.
CREATE OR REPLACE PERFETTO TABLE go_critical_part AS
WITH RECURSIVE part(utid, created, ts, ts_end) AS (
  SELECT utid, created, ts, ts_end FROM go_critical_interval
  UNION ALL
  SELECT
    s.waker_utid,
    (
      SELECT max(g.ts)
      FROM go_goroutine AS g
      WHERE g.utid = s.waker_utid AND g.ts < s.ts_end
    ),
    max(part.ts, s.ts), s.ts_end
  FROM part
  JOIN go_state AS s USING (utid)
  WHERE s.ts_end > part.ts AND s.ts_end < part.ts_end AND s.waker_utid IS NOT NULL
    AND iif(s.is_before, s.ts_end = part.created, s.ts >= part.created)
)
SELECT utid, created, ts, ts_end FROM part;

-- What is left of each part is on the path, every moment once.
CREATE OR REPLACE PERFETTO TABLE go_critical_path AS
SELECT
  max(p.ts, s.ts) AS ts, min(p.ts_end, s.ts_end) - max(p.ts, s.ts) AS dur,
  g.goroutine, g.function, s.state, s.reason,
  g.function || ': ' || s.state AS name
FROM go_critical_part AS p
JOIN go_state AS s USING (utid)
JOIN go_goroutine AS g ON g.utid = p.utid AND g.ts = p.created
WHERE s.ts < p.ts_end AND s.ts_end > p.ts
  AND iif(s.is_before, s.ts_end = p.created, s.ts >= p.created)
  AND (s.waker_utid IS NULL OR s.ts_end >= p.ts_end)
ORDER BY ts;

SELECT
  c.goroutine, c.function, c.state, c.reason,
  sum(c.dur) / 1e6 AS ms,
  round(100.0 * sum(c.dur) / (i.ts_end - i.ts), 2) AS percent,
  count(*) AS times, i.name || ' ' || i.task AS task, (i.ts_end - i.ts) / 1e6 AS task_ms
FROM go_critical_path AS c
CROSS JOIN go_critical_interval AS i
GROUP BY c.goroutine, c.function, c.state, c.reason
ORDER BY ms DESC;
