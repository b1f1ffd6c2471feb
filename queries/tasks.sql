-- How long do the tasks of runtime/trace take?
--
-- One row for each type of task and of its parent, the longest total first. Tasks that
-- began before the trace, or had not ended with it, are counted in 'cut' only.
--
--   task, parent            types; a root task has no parent
--   tasks, cut              how many began and ended in the trace, and how many did not
--   p50_ms, p90_ms, p99_ms, max_ms  how long one took; percentiles are interpolated
--   total_ms                all of them together
--   id, ts, dur, track_id   the longest: a click on id leads there
--
-- critical_path_of_task.sql tells where the time of the longest one went.

CREATE OR REPLACE PERFETTO TABLE go_task AS
SELECT
  id, ts, dur, track_id, name,
  extract_arg(arg_set_id, 'debug.task') AS task,
  extract_arg(arg_set_id, 'debug.parent task') AS parent,
  iif(dur = -1 OR extract_arg(arg_set_id, 'debug.began before the trace'), NULL, dur) AS whole
FROM slice
WHERE category = 'task';

CREATE OR REPLACE PERFETTO INDEX go_task_task ON go_task(task);

SELECT
  t.name AS task, p.name AS parent,
  count(t.whole) AS tasks, sum(t.whole IS NULL) AS cut,
  percentile(t.whole, 50) / 1e6 AS p50_ms, percentile(t.whole, 90) / 1e6 AS p90_ms,
  percentile(t.whole, 99) / 1e6 AS p99_ms, max(t.whole) / 1e6 AS max_ms,
  sum(t.whole) / 1e6 AS total_ms,
  t.id, t.ts, t.dur, t.track_id -- of the task with the maximum
FROM go_task AS t
LEFT JOIN go_task AS p ON p.task = t.parent
GROUP BY t.name, p.name
ORDER BY total_ms DESC;
