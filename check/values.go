package check

import (
	"encoding/json"
	"strings"

	"github.com/trace2x/trace2x/diff"
	"github.com/trace2x/trace2x/report"
)

// Values are what requirements are about, by name.
type Values map[string]any

// Summary returns the values of a report: its JSON, with what makes it short to write.
//
//   - Lists whose entries have a name are maps by that name: tasks, regions, units,
//     goroutines, gc.pauses and gc.assists.
//   - Each x_ns and x_bytes is also x.
//   - What a latency or a sum has, its object has too: tasks["a"].p99 is
//     tasks["a"].latency.p99_ns.
//   - gc.share is the share of the GC in the time of the Ps, and leaks is how many
//     goroutines may have leaked.
//
// Percentiles and maxima of nothing are left out.
func Summary(r *report.Report) (Values, error) {
	v, err := valuesOf(r)
	if err != nil {
		return nil, err
	}
	for list, name := range map[string]string{"tasks": "type", "regions": "type", "units": "type", "goroutines": "func"} {
		byName(v, list, name)
	}
	gc, _ := v["gc"].(map[string]any)
	byName(gc, "pauses", "reason")
	byName(gc, "assists", "func")
	if p := r.Overview.Procs; p.Total > 0 && gc != nil {
		gc["share"] = float64(p.GC) / float64(p.Total)
	}
	leaks := int64(0)
	for _, s := range r.Suspects {
		if s.Kind == report.GrowingLeak || s.Kind == report.BlockedThroughout {
			leaks += s.Count
		}
	}
	v["leaks"] = float64(leaks)
	simplify(map[string]any(v))
	return v, nil
}

// AddDiff adds a comparison as "diff": its JSON, and each number by section, name and what
// it is, with all but letters and digits as _:
//
//	diff.tasks["request"].p99.delta
//	diff.goroutines["main.worker"].execution.after
//	diff.gc.share_of_the_Ps__time.relative
func (v Values) AddDiff(r *diff.Result) error {
	d, err := valuesOf(r)
	if err != nil {
		return err
	}
	sections := map[string]string{"task": "tasks", "region": "regions", "http": "units", "goroutine": "units"}
	for _, key := range []string{"changes", "others"} {
		list, _ := d[key].([]any)
		for _, x := range list {
			change, _ := x.(map[string]any)
			section, _ := change["section"].(string)
			if plural := sections[section]; plural != "" {
				section = plural
			}
			name, _ := change["name"].(string)
			what, _ := change["what"].(string)
			if before, _ := change["before"].(float64); before != 0 {
				change["relative"] = change["delta"].(float64) / before
			}
			to := child(d, section)
			if name != "" {
				to = child(to, name)
			}
			to[identifier(what)] = change
		}
	}
	for _, section := range []string{"tasks", "regions", "units", "goroutines"} {
		child(d, section)
	}
	v["diff"] = map[string]any(d)
	return nil
}

// child returns the object of a name within another one. It is made if it is not there.
func child(of map[string]any, name string) map[string]any {
	x, ok := of[name].(map[string]any)
	if !ok {
		x = make(map[string]any)
		of[name] = x
	}
	return x
}

// identifier returns a text with _ in place of what a name cannot have.
func identifier(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return '_'
	}, s)
}

func valuesOf(x any) (Values, error) {
	data, err := json.Marshal(x)
	if err != nil {
		return nil, err
	}
	v := make(Values)
	return v, json.Unmarshal(data, &v)
}

// byName makes a map of a list, by what its entries have as name. Tasks from before the
// trace have none.
func byName(of map[string]any, list, name string) {
	entries, ok := of[list].([]any)
	if !ok {
		return
	}
	m := make(map[string]any)
	for _, e := range entries {
		if entry, ok := e.(map[string]any); ok {
			if key, ok := entry[name].(string); ok && entry["type_unknown"] != true {
				if _, twice := m[key]; !twice { // as of units of two kinds
					m[key] = entry
				}
			}
		}
	}
	of[list] = m
}

// simplify adds the short names to an object and all in it, and takes away what says
// nothing.
func simplify(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			simplify(x)
		}
	case map[string]any:
		for _, x := range v {
			simplify(x)
		}
		count, counts := v["count"].(float64)
		if cut, ok := v["cut"].(float64); ok {
			count -= cut
		}
		for _, name := range []string{"latency", "sum"} {
			inner, ok := v[name].(map[string]any)
			if !ok {
				continue
			}
			for key, x := range inner {
				if _, taken := v[key]; !taken {
					v[key] = x
				}
			}
		}
		for key, x := range v {
			if short := strings.TrimSuffix(strings.TrimSuffix(key, "_ns"), "_bytes"); short != key {
				if _, taken := v[short]; !taken {
					v[short] = x
				}
			}
		}
		if counts && count <= 0 {
			for _, name := range []string{"p50", "p90", "p99", "p999", "max"} {
				delete(v, name)
				delete(v, name+"_ns")
			}
		}
	}
}
